import type { Type } from './dsl.ts';

/** A type as the reference writes it: `map(string,enum vm_operations)`, `ref VM`, `set(string)`. */
export function typeText(type: Type<unknown>): string {
  const of = () => typeText(type.of as Type<unknown>);
  switch (type.kind) {
    case 'enum':
      return `enum ${type.name}`;
    case 'ref':
      return `ref ${type.cls}`;
    case 'record':
      return `record ${type.cls}`;
    case 'set':
      return `set(${of()})`;
    case 'option':
      return `option(${of()})`;
    case 'map':
      return `map(${typeText(type.key as Type<unknown>)},${of()})`;
    default:
      return type.kind;
  }
}
