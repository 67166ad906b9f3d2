/** Messages that follow from a class's fields, over the database alone. Server logic in front of them is in the handlers. */
import { type Class, type Field, nullRef, type Type } from '../datamodel/dsl.ts';
import { fail } from '../datamodel/errors.ts';
import type { ClassName } from '../datamodel/index.ts';
import type { FullMessage } from '../datamodel/messages.ts';
import type { Db } from '../db/db.ts';
import { parseFilter } from './filter.ts';
import { OneRecord, RecordMap } from './prebuilt.ts';

export type Args = Readonly<Record<string, unknown>>;
/** Runs over the database; `write` is how a changed field is stored: as it is, or by the handler behind the setter. */
export type Implicit = (db: Db, args: Args, write: WriteField) => unknown;
export type WriteField = (ref: string, value: unknown) => unknown;

/** What an implicit message does. */
export function implicit(cls: Class, m: FullMessage): Implicit {
  const c = cls.name as ClassName;
  const self = (a: Args) => a['self'] as string;
  switch (m.kind) {
    case 'getter':
      return getter(c, m.field as string);
    case 'setter':
      return (db, a, write) => {
        checkRefs(db, field(cls, m), a['value']);
        db.get(c, self(a));
        return write(self(a), unique(field(cls, m).type, a['value']));
      };
    case 'add':
      return field(cls, m).type.kind === 'map' ? addKey(c, m.field as string) : addValue(c, cls, m);
    case 'remove':
      return field(cls, m).type.kind === 'map' ? removeKey(c, m.field as string) : removeValue(c, m.field as string);
    case 'get_record':
      return (db, a) => new OneRecord(db, c, self(a));
    case 'get_by_uuid':
      return (db, a) => db.byUuid(c, a['uuid'] as string);
    case 'get_by_name_label':
      return (db, a) => db.byName(c, a['label'] as string);
    case 'get_all':
      return (db) => [...db.refs(c)];
    case 'get_all_records':
      return (db) => new RecordMap(db, c, [...db.refs(c)]);
    case 'get_all_where':
      return (db, a) => matching(db, cls, a['expr'] as string);
    case 'get_all_records_where':
      return (db, a) => new RecordMap(db, c, matching(db, cls, a['expr'] as string));
    case 'constructor':
      return (db, a) => create(db, cls, a['args'] as Args);
    case 'destructor':
      return (db, a) => {
        db.get(c, self(a));
        db.destroy(c, self(a));
      };
    case 'custom':
      return () => {
        throw fail('NOT_IMPLEMENTED', { function: m.method });
      };
  }
}

const field = (cls: Class, m: FullMessage): Field => cls.fields[m.field as string] as Field;
const fieldOf = (db: Db, c: ClassName, ref: string, name: string): unknown => (db.get(c, ref) as unknown as Args)[name];

function getter(c: ClassName, name: string): Implicit {
  return (db, a) => fieldOf(db, c, a['self'] as string, name);
}
/** Sets hold each value once. */
const unique = (type: Type<unknown>, value: unknown): unknown =>
  type.kind === 'set' && Array.isArray(value) && typeof value[0] === 'string' ? [...new Set(value)] : value;

/** HANDLE_INVALID for references to nothing, where the declaration does not allow for them. */
function checkRefs(db: Db, f: Field, value: unknown): void {
  if (f.dangling) return;
  const check = (type: Type<unknown> | undefined, v: unknown): void => {
    if (type?.kind === 'ref' && v !== nullRef && !db.has(type.cls as ClassName, v as string))
      throw fail('HANDLE_INVALID', { class: type.cls as string, handle: String(v) });
    if (type?.kind === 'set') for (const e of v as readonly unknown[]) check(type.of, e);
    if (type?.kind === 'map') for (const e of Object.values(v as object)) check(type.of, e);
  };
  check(f.type, value);
}
/** MAP_DUPLICATE_KEY when the key is there. */
function addKey(c: ClassName, name: string): Implicit {
  return (db, a, write) => {
    const record = db.get(c, a['self'] as string) as unknown as Args & { readonly uuid: string };
    const map = record[name] as Args;
    const key = String(a['key']);
    if (Object.hasOwn(map, key)) throw fail('MAP_DUPLICATE_KEY', { type: c, param_name: name, uuid: record.uuid, key });
    return write(a['self'] as string, { ...map, [key]: a['value'] });
  };
}
function removeKey(c: ClassName, name: string): Implicit {
  return (db, a, write) => {
    const map = fieldOf(db, c, a['self'] as string, name) as Args;
    const key = String(a['key']);
    if (!Object.hasOwn(map, key)) return undefined;
    const { [key]: _, ...others } = map;
    return write(a['self'] as string, others);
  };
}
function addValue(c: ClassName, cls: Class, m: FullMessage): Implicit {
  return (db, a, write) => {
    checkRefs(db, field(cls, m), [a['value']]);
    const set = fieldOf(db, c, a['self'] as string, m.field as string) as readonly unknown[];
    return set.includes(a['value']) ? undefined : write(a['self'] as string, [...set, a['value']]);
  };
}
function removeValue(c: ClassName, name: string): Implicit {
  return (db, a, write) => {
    const set = fieldOf(db, c, a['self'] as string, name) as readonly unknown[];
    const others = set.filter((v) => v !== a['value']);
    return others.length === set.length ? undefined : write(a['self'] as string, others);
  };
}
function matching(db: Db, cls: Class, expr: string): string[] {
  const test = parseFilter(cls, expr);
  const out: string[] = [];
  for (const [ref, record] of db.rows(cls.name as ClassName)) if (test(record as unknown as Args)) out.push(ref);
  return out;
}
/** HANDLE_INVALID when a field of the new object refers to nothing. */
export function checkFields(db: Db, cls: Class, args: Args): void {
  for (const [name, value] of Object.entries(args)) {
    const f = cls.fields[name];
    if (f) checkRefs(db, f, value);
  }
}
function create(db: Db, cls: Class, args: Args): string {
  checkFields(db, cls, args);
  return db.create(cls.name as ClassName, args as never);
}
