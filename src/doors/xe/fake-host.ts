/** A host of a few fixed records, for tests of the door: answers reads from memory and remembers the other calls. */
import { localTransport, type Transport } from '../../client/transport.ts';
import { fail } from '../../datamodel/errors.ts';
import { classes } from '../../datamodel/index.ts';
import { constructorFields } from '../../datamodel/messages.ts';

type Rows = Map<string, Record<string, unknown>>;
export interface FakeHost {
  readonly transport: Transport;
  /** Calls that were no reads, as `Class.message` and parameters without the session. */
  readonly calls: (readonly [string, ...unknown[]])[];
  /** Adds an object; fields that are not given have their defaults or nothing. Answers its reference. */
  add(cls: string, name: string, fields?: Readonly<Record<string, unknown>>): string;
  rec(cls: string, ref: string): Record<string, unknown>;
  /** What a message does. */
  on(method: string, answer: (...params: readonly unknown[]) => unknown): void;
}

const zero: Readonly<Record<string, unknown>> = {
  string: '',
  int: 0,
  float: 0,
  bool: false,
  datetime: '19700101T00:00:00Z',
  ref: 'OpaqueRef:NULL',
  set: [],
  map: {},
};

function blank(cls: string): Record<string, unknown> {
  const fields = Object.entries(classes[cls]?.fields ?? {}).filter(([, f]) => !f.internal);
  return Object.fromEntries(fields.map(([n, f]) => [n, f.default ?? zero[f.type.kind] ?? f.type.values?.[0]]));
}

export function fakeHost(): FakeHost {
  const tables = new Map<string, Rows>();
  const handlers = new Map<string, (...params: readonly unknown[]) => unknown>();
  const calls: (readonly [string, ...unknown[]])[] = [];
  const table = (cls: string): Rows => {
    let rows = tables.get(cls);
    if (!rows) tables.set(cls, (rows = new Map()));
    return rows;
  };
  let serial = 0;
  const add: FakeHost['add'] = (cls, name, fields = {}) => {
    serial++;
    const tail = serial.toString(16).padStart(12, '0');
    const ref = table(cls).has(`OpaqueRef:${name}`) ? `OpaqueRef:${name} ${serial}` : `OpaqueRef:${name}`;
    table(cls).set(ref, {
      ...blank(cls),
      uuid: `00000000-0000-4000-8000-${tail}`,
      ...('name_label' in (classes[cls]?.fields ?? {}) ? { name_label: name } : {}),
      ...fields,
    });
    return ref;
  };
  const rec: FakeHost['rec'] = (cls, ref) => {
    const row = table(cls).get(ref);
    if (!row) throw fail('HANDLE_INVALID', { class: cls, handle: ref });
    return row;
  };
  const read = (cls: string, message: string, params: readonly unknown[]): unknown => {
    const rows = table(cls);
    const first = String(params[0]);
    if (message === 'get_all_records') return Object.fromEntries(rows);
    if (message === 'get_record') return rec(cls, first);
    if (message === 'get_by_name_label') return [...rows].filter(([, r]) => r.name_label === first).map(([ref]) => ref);
    if (message === 'get_by_uuid') {
      for (const [ref, r] of rows) if (r.uuid === first) return ref;
      throw fail('UUID_INVALID', { type: cls, uuid: first });
    }
    const field = message.slice('get_'.length);
    if (field in (classes[cls]?.fields ?? {})) return rec(cls, first)[field];
    throw fail('NOT_IMPLEMENTED', { function: `${cls}.${message}` });
  };
  const change = (cls: string, message: string, params: readonly unknown[]): unknown => {
    calls.push([`${cls}.${message}`, ...params]);
    if (message === 'create' && constructorFields(classes[cls]!).length > 0)
      return add(cls, `new-${cls}-${serial + 1}`, params[0] as Record<string, unknown>);
    if (message === 'destroy') table(cls).delete(String(params[0]));
    const set = /^set_(.*)$/.exec(message)?.[1];
    if (set !== undefined && table(cls).has(String(params[0])) && set in rec(cls, String(params[0])))
      rec(cls, String(params[0]))[set] = params[1];
    return '';
  };
  const call: Transport['call'] = async (method, [session, ...params]) => {
    if (method === 'session.login_with_password') {
      if (params[0] !== 'secret')
        throw fail('SESSION_AUTHENTICATION_FAILED', { user: String(session), reason: 'wrong password' } as never);
      return 'OpaqueRef:session';
    }
    if (session !== 'OpaqueRef:session') throw fail('SESSION_INVALID', { handle: String(session) });
    const [cls = '', message = ''] = method.split('.');
    const own = handlers.get(method);
    // as a real one: never at once
    if (method === 'event.from') await new Promise((resolve) => setImmediate(resolve));
    if (own) {
      calls.push([method, ...params]);
      return own(...params);
    }
    return message.startsWith('get_') ? read(cls, message, params) : change(cls, message, params);
  };
  return {
    transport: localTransport(call),
    calls,
    add,
    rec,
    on: (method, answer) => void handlers.set(method, answer),
  };
}
