/** What the database needs to know of each class, worked out once from its declaration. */
import type { Class, Field, Type } from '../datamodel/dsl.ts';
import { never, nullRef } from '../datamodel/dsl.ts';
import { emptyMap, emptySet, frozenCopy } from './value.ts';

/** A record inside the database: field → value, frozen. */
export type Fields = Readonly<Record<string, unknown>>;
/** One end of a relation: `VBD.VM`. */
export interface End {
  readonly cls: string;
  readonly field: string;
}
export interface FieldShape {
  readonly name: string;
  readonly field: Field;
  readonly default: unknown;
  /** Written to the store. */
  readonly stored: boolean;
  /** Set end of a one-to-many relation: where the single references are. */
  readonly from?: End;
  /** The other end of a many-to-many relation. */
  readonly mirrors?: End;
}
export interface Shape {
  readonly name: string;
  readonly cls: Class;
  readonly fields: ReadonlyMap<string, FieldShape>;
  /** Every field at its default, in declared order. Copied for each new record, so that all share one layout. */
  readonly template: Fields;
  readonly stored: readonly FieldShape[];
  readonly unstored: readonly string[];
  readonly computed: readonly (FieldShape & { readonly from: End })[];
  readonly mirrored: readonly (FieldShape & { readonly mirrors: End })[];
  /** Single references that are the one end of a relation, with every set end that is computed from them. */
  readonly ends: ReadonlyMap<string, readonly End[]>;
  readonly persistent: boolean;
  readonly hasUuid: boolean;
  readonly hasName: boolean;
  /** Fields that never leave the server. */
  readonly internal: readonly string[];
}

/** The empty value of a type: what a field without a declared default starts with. */
export function emptyOf(type: Type<unknown>): unknown {
  switch (type.kind) {
    case 'string':
      return '';
    case 'int':
    case 'float':
      return 0;
    case 'bool':
      return false;
    case 'datetime':
      return never;
    case 'enum':
      return type.values?.[0] ?? '';
    case 'ref':
      return nullRef;
    case 'set':
      return emptySet;
    case 'map':
    case 'record':
      return emptyMap;
    case 'void':
    case 'option':
      return undefined;
  }
}

/** Whether a value that came from outside can be one of this type; the elements of sets and maps too. */
export function fits(type: Type<unknown>, v: unknown): boolean {
  switch (type.kind) {
    case 'int':
      return Number.isSafeInteger(v);
    case 'float':
      return typeof v === 'number';
    case 'bool':
      return typeof v === 'boolean';
    case 'set':
      return Array.isArray(v) && (type.of === undefined || v.every((e) => fits(type.of as Type<unknown>, e)));
    case 'map':
      return isObject(v) && (type.of === undefined || Object.values(v).every((e) => fits(type.of as Type<unknown>, e)));
    case 'record':
      return isObject(v);
    case 'option':
      return v === undefined || type.of === undefined || fits(type.of, v);
    case 'void':
      return v === undefined;
    default:
      return typeof v === 'string';
  }
}
const isObject = (v: unknown): v is object => typeof v === 'object' && v !== null && !Array.isArray(v);

/** The shapes of all classes of a model, by name. Throws on a relation whose other end does not exist. */
export function shapesOf(model: Readonly<Record<string, Class>>): ReadonlyMap<string, Shape> {
  const ends = endsOf(model);
  return new Map(Object.values(model).map((c) => [c.name, shapeOf(c, ends)]));
}

function endsOf(model: Readonly<Record<string, Class>>): Map<string, Map<string, End[]>> {
  const ends = new Map<string, Map<string, End[]>>();
  for (const c of Object.values(model))
    for (const [name, f] of Object.entries(c.fields)) {
      const other = f.from ?? f.mirrors;
      if (other === undefined) continue;
      const { cls, field } = endAt(other);
      const kind = model[cls]?.fields[field]?.type.kind;
      if (kind !== (f.from ? 'ref' : 'set')) throw new Error(`${c.name}.${name}: its other end ${other} does not fit`);
      if (!f.from) continue;
      const ofClass = ends.get(cls) ?? new Map<string, End[]>();
      ends.set(cls, ofClass);
      ofClass.set(field, [...(ofClass.get(field) ?? []), { cls: c.name, field: name }]);
    }
  return ends;
}
function endAt(text: string): End {
  const [cls = '', field = ''] = text.split('.');
  return { cls, field };
}

function shapeOf(c: Class, ends: Map<string, Map<string, End[]>>): Shape {
  const fields = new Map(Object.entries(c.fields).map(([name, f]) => [name, fieldShape(c, name, f)]));
  const list = [...fields.values()];
  return {
    name: c.name,
    cls: c,
    fields,
    template: Object.fromEntries(list.map((f) => [f.name, f.default])),
    stored: list.filter((f) => f.stored),
    unstored: list.filter((f) => !f.stored).map((f) => f.name),
    computed: list.filter((f): f is FieldShape & { from: End } => f.from !== undefined),
    mirrored: list.filter((f): f is FieldShape & { mirrors: End } => f.mirrors !== undefined),
    ends: ends.get(c.name) ?? new Map(),
    persistent: c.persistent,
    hasUuid: fields.get('uuid')?.field.type.kind === 'string',
    hasName: fields.has('name_label'),
    internal: list.filter((f) => f.field.internal).map((f) => f.name),
  };
}

function fieldShape(c: Class, name: string, f: Field): FieldShape {
  return {
    name,
    field: f,
    default: frozenCopy(f.from ? emptySet : (f.default ?? emptyOf(f.type))),
    stored: c.persistent && f.persistent !== false && f.from === undefined,
    from: f.from === undefined ? undefined : endAt(f.from),
    mirrors: f.mirrors === undefined ? undefined : endAt(f.mirrors),
  };
}
