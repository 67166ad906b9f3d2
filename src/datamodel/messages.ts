/**
 * Implicit messages (`get_*`, `set_*`, `add_to_*`, `get_all_records`, `create` …) made from a class's fields, in the shape of
 * the declared ones: nothing downstream can tell the difference but by `kind`. Source: XenAPI, reference NOTES §1–§2.
 */
import type { Class, Field, Message, Type } from './dsl.ts';
import { t } from './dsl.ts';

export type MessageKind =
  | 'custom'
  | 'getter'
  | 'setter'
  | 'add'
  | 'remove'
  | 'constructor'
  | 'destructor'
  | 'get_by_uuid' // as the reference names them
  | 'get_by_name_label'
  | 'get_record'
  | 'get_all'
  | 'get_all_records'
  | 'get_all_where'
  | 'get_all_records_where';

/** A message with its place: `VM.get_power_state` has class `VM`, kind `getter` and field `power_state`. */
export interface FullMessage extends Message {
  readonly cls: string;
  readonly name: string;
  /** `Class.name`, as on the wire. */
  readonly method: string;
  readonly kind: MessageKind;
  readonly field?: string;
}

const visible = (c: Class): [string, Field][] => Object.entries(c.fields).filter(([, f]) => !f.internal);

/** The members of the struct that a class's `create` takes: `required` when no default is declared. */
export function constructorFields(c: Class): readonly { name: string; field: Field; required: boolean }[] {
  return visible(c)
    .filter(([, f]) => f.access !== 'DynamicRO')
    .map(([name, f]) => ({ name, field: f, required: f.default === undefined }));
}

/** Every message of a class by name: declared ones first, then those that follow from its fields. A declared one wins. */
export function allMessages(c: Class): ReadonlyMap<string, FullMessage> {
  const out = new Map<string, FullMessage>();
  const put = (kind: MessageKind, name: string, m: Message, of?: string) => {
    if (!out.has(name)) out.set(name, { ...m, cls: c.name, name, method: `${c.name}.${name}`, kind, field: of });
  };
  for (const [name, m] of Object.entries(c.messages)) put('custom', name, m);
  if (!c.inDatabase) return out;
  objectMessages(c, put);
  for (const [name, f] of visible(c)) fieldMessages(c, name, f, put);
  return out;
}

type Put = (kind: MessageKind, name: string, m: Message, of?: string) => void;

function objectMessages(c: Class, put: Put): void {
  const self = { self: t.ref(c.name) };
  const ask = { role: c.readRole, life: c.life, sync: true } as const;
  const what = c.name;
  put('get_record', 'get_record', {
    ...ask,
    doc: `The whole record of one ${what}.`,
    params: self,
    result: t.record(what),
  });
  put('get_by_uuid', 'get_by_uuid', {
    ...ask,
    doc: `The ${what} with this UUID.`,
    params: { uuid: t.string },
    result: t.ref(what),
  });
  if ('name_label' in c.fields && c.getAll && c.name !== 'pool') {
    const params = { label: t.string };
    put('get_by_name_label', 'get_by_name_label', {
      ...ask,
      doc: `Every ${what} with this name.`,
      params,
      result: t.set(t.ref(what)),
    });
  }
  if (c.lifecycle) {
    const act = { role: c.role, extraRoles: c.roleExtra, life: c.life } as const;
    put('constructor', 'create', {
      ...act,
      doc: `Make a ${what}.`,
      params: { args: t.record(what) },
      result: t.ref(what),
    });
    put('destructor', 'destroy', { ...act, doc: `Destroy a ${what}.`, params: self, result: t.none });
  }
  if (!c.getAll) return;
  const records = t.map(t.ref(what), t.record(what));
  const where = { expr: t.string };
  put('get_all', 'get_all', { ...ask, doc: `Every ${what}.`, params: {}, result: t.set(t.ref(what)) });
  put('get_all_where', 'get_all_where', {
    ...ask,
    hidden: true,
    doc: `Every ${what} that fits the expression.`,
    params: where,
    result: t.set(t.ref(what)),
  });
  put('get_all_records_where', 'get_all_records_where', {
    ...ask,
    hidden: true,
    doc: `The records of every ${what} that fits the expression.`,
    params: where,
    result: records,
  });
  put('get_all_records', 'get_all_records', {
    ...ask,
    doc: `The records of every ${what}.`,
    params: {},
    result: records,
  });
}

function fieldMessages(c: Class, name: string, f: Field, put: Put): void {
  const self = t.ref(c.name);
  const readRole = f.readRole ?? c.readRole;
  put(
    'getter',
    `get_${name}`,
    { doc: `Get ${name} of a ${c.name}.`, params: { self }, result: f.type, role: readRole, life: f.life, sync: true },
    name,
  );
  if (f.access !== 'RW') return;
  const write = {
    role: f.writeRole ?? c.role,
    extraRoles: f.writeRoleExtra,
    keyRoles: f.keyRoles,
    life: f.life,
    result: t.none,
    sync: true,
  } as const;
  put(
    'setter',
    `set_${name}`,
    { ...write, keyRoles: undefined, doc: `Set ${name} of a ${c.name}.`, params: { self, value: f.type } },
    name,
  );
  if (f.type.kind === 'map') {
    const { key = t.string, of = t.string } = f.type;
    put(
      'add',
      `add_to_${name}`,
      {
        ...write,
        doc: `Add a key to ${name} of a ${c.name}; the key must not be there yet.`,
        params: { self, key, value: of },
      },
      name,
    );
    put(
      'remove',
      `remove_from_${name}`,
      { ...write, doc: `Remove a key from ${name} of a ${c.name}; an absent key is no error.`, params: { self, key } },
      name,
    );
  }
  if (f.type.kind === 'set') {
    const of: Type<unknown> = f.type.of ?? t.string;
    put(
      'add',
      `add_${name}`,
      { ...write, doc: `Add a value to ${name} of a ${c.name}.`, params: { self, value: of } },
      name,
    );
    put(
      'remove',
      `remove_${name}`,
      { ...write, doc: `Remove a value from ${name} of a ${c.name}.`, params: { self, value: of } },
      name,
    );
  }
}
