/**
 * What a VM's records say beyond the domain manager's description, as text that goes with it to another pool. Whoever takes the VM
 * there makes its records from both. Only fields that a client could have set, none that refer to other objects of the pool.
 */
import type { Log } from '../base/log.ts';
import type { VmSpec } from '../contracts/xenops.ts';
import type { Class, Ref, Type } from '../datamodel/dsl.ts';
import { classes } from '../datamodel/index.ts';
import { constructorFields } from '../datamodel/messages.ts';
import type { Patch, Reader } from '../db/db.ts';
import type { Wire } from '../wire/xmlrpc-decode.ts';
import { decodeAs } from './decode.ts';

/** The note of the description that holds it; not kept once it has been read. */
export const movedNote = 'xenapi-records';

type Fields = Readonly<Record<string, unknown>>;
type Moved = Readonly<Record<'VM', Fields>> & Readonly<Record<'VBD' | 'VIF', Readonly<Record<string, Fields>>>>;

export function movedText(db: Reader, ref: Ref<'VM'>): string {
  const vm = db.get('VM', ref);
  const devices = (cls: 'VBD' | 'VIF') =>
    Object.fromEntries(vm[`${cls}s`].map((r) => [db.get(cls, r).uuid, fieldsOf(cls, db.get(cls, r))]));
  const moved: Moved = { VM: fieldsOf('VM', vm), VBD: devices('VBD'), VIF: devices('VIF') };
  return JSON.stringify(moved);
}
function fieldsOf(cls: 'VM' | 'VBD' | 'VIF', row: object): Fields {
  const values = row as Fields;
  return Object.fromEntries(movable(cls).map(({ name }) => [name, values[name]]));
}
function classOf(name: string): Class {
  const found = classes[name];
  if (!found) throw new Error(`there is no class ${name}`);
  return found;
}
/** What is different there by nature, or is the description's to say. */
const left: ReadonlySet<string> = new Set([
  'power_state',
  'memory_target',
  'last_booted_record',
  'ha_always_run',
  'ha_restart_priority',
  'is_a_template',
  'is_default_template',
  'uuid',
  'device',
  'currently_attached',
]);
const movable = (cls: 'VM' | 'VBD' | 'VIF') =>
  constructorFields(classOf(cls)).filter(({ name, field }) => !left.has(name) && !refers(field.type));
function refers(type: Type<unknown>): boolean {
  if (type.kind === 'ref') return true;
  if (type.kind === 'set' || type.kind === 'option') return refers(type.of as Type<unknown>);
  return type.kind === 'map' && (refers(type.key as Type<unknown>) || refers(type.of as Type<unknown>));
}

export interface MovedFields {
  readonly vm: Patch<'VM'>;
  vbd(id: string): Patch<'VBD'>;
  vif(id: string): Patch<'VIF'>;
}
/** The fields that came with the description, checked; those that this version does not know are left out. */
export function movedFields(spec: VmSpec, log: Log): MovedFields {
  try {
    const moved = JSON.parse(spec.notes?.[movedNote] ?? '{}') as Partial<Moved>;
    const of = <C extends 'VBD' | 'VIF'>(cls: C) => {
      const devices = Object.entries<Fields>(moved[cls] ?? {}).map(
        ([id, fields]) => [id, checked(cls, fields)] as const,
      );
      const known = new Map<string, Patch<C>>(devices);
      return (id: string): Patch<C> => known.get(id) ?? ({} as Patch<C>);
    };
    return { vm: checked('VM', moved.VM ?? {}), vbd: of('VBD'), vif: of('VIF') };
  } catch (error) {
    log.warn('the records that came with a VM are not to be read', { vm: spec.id, error: String(error) });
    return { vm: {}, vbd: () => ({}), vif: () => ({}) };
  }
}
function checked<C extends 'VM' | 'VBD' | 'VIF'>(cls: C, fields: Fields): Patch<C> {
  const known = movable(cls).filter(({ name }) => Object.hasOwn(fields, name));
  const value = (name: string, type: Type<unknown>) => decodeAs(type, fields[name] as Wire, `${cls}.${name}`);
  return Object.fromEntries(known.map(({ name, field }) => [name, value(name, field.type)])) as Patch<C>;
}
