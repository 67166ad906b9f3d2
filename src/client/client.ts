/**
 * The typed client: `client.VM.start({ vm, start_paused: false, force: false })`. Types follow from the declarations; the
 * order of parameters, the session and the defaults are added here.
 */
import type { Args, Class, Infer, RecordOf, Ref, Result } from '../datamodel/dsl.ts';
import { ApiError } from '../datamodel/errors.ts';
import { classes, type Model } from '../datamodel/index.ts';
import { allMessages, type FullMessage } from '../datamodel/messages.ts';
import type { Transport } from './transport.ts';

type Self<C extends Class> = { readonly self: Ref<C['name']> };
type Name<K> = K & string;
type Element<T> = T extends readonly (infer E)[] ? E : never;
type MapValue<T> = T extends Readonly<Record<string, infer V>> ? V : never;
type FieldType<C extends Class, K extends keyof C['fields']> = Infer<C['fields'][K]['type']>;

type Declared<C extends Class> = {
  readonly [M in keyof C['messages']]: (args: Args<C['messages'][M]>) => Promise<Result<C['messages'][M]>>;
};
type Getters<C extends Class> = {
  readonly [K in keyof C['fields'] as `get_${Name<K>}`]: (args: Self<C>) => Promise<FieldType<C, K>>;
};
/** Fields that clients set. */
type Writable<C extends Class> = {
  readonly [K in keyof C['fields']]: C['fields'][K]['access'] extends 'RW' ? K : never;
}[keyof C['fields']];
type Setters<C extends Class> = {
  readonly [K in Writable<C> as `set_${Name<K>}`]: (
    args: Self<C> & { readonly value: FieldType<C, K> },
  ) => Promise<void>;
};
type SetMembers<C extends Class> = {
  readonly [K in Writable<C> as FieldType<C, K> extends readonly unknown[]
    ? `add_${Name<K>}` | `remove_${Name<K>}`
    : never]: (args: Self<C> & { readonly value: Element<FieldType<C, K>> }) => Promise<void>;
};
type Maps<C extends Class> = {
  readonly [K in Writable<C>]: FieldType<C, K> extends readonly unknown[] | string | number | boolean ? never : K;
}[Writable<C>];
type MapAdders<C extends Class> = {
  readonly [K in Maps<C> as `add_to_${Name<K>}`]: (
    args: Self<C> & { readonly key: string; readonly value: MapValue<FieldType<C, K>> },
  ) => Promise<void>;
};
type MapRemovers<C extends Class> = {
  readonly [K in Maps<C> as `remove_from_${Name<K>}`]: (args: Self<C> & { readonly key: string }) => Promise<void>;
};
interface Objects<C extends Class> {
  get_record(args: Self<C>): Promise<RecordOf<C>>;
  get_by_uuid(args: { readonly uuid: string }): Promise<Ref<C['name']>>;
  get_by_name_label(args: { readonly label: string }): Promise<readonly Ref<C['name']>[]>;
  get_all(args?: object): Promise<readonly Ref<C['name']>[]>;
  get_all_records(args?: object): Promise<Readonly<Record<Ref<C['name']>, RecordOf<C>>>>;
  get_all_where(args: { readonly expr: string }): Promise<readonly Ref<C['name']>[]>;
  get_all_records_where(args: { readonly expr: string }): Promise<Readonly<Record<Ref<C['name']>, RecordOf<C>>>>;
  create(args: { readonly args: Partial<RecordOf<C>> }): Promise<Ref<C['name']>>;
  destroy(args: Self<C>): Promise<void>;
}
type Implicit<C extends Class> = Getters<C> & Setters<C> & SetMembers<C> & MapAdders<C> & MapRemovers<C> & Objects<C>;
/** Every message of a class with named arguments; a declared one wins over an implicit one of its name. */
export type ClassClient<C extends Class> = Declared<C> & Omit<Implicit<C>, keyof C['messages']>;
export type TypedClient = { readonly [C in keyof Model]: ClassClient<Model[C]> };

/** Calls by name, for code that works on any message. */
export interface Caller {
  readonly session: string;
  /** `VM.start` with named arguments. Rejects with `ApiError`. */
  call(method: string, args?: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<unknown>;
  /** `Async.VM.start`: answers the task at once. */
  start(method: string, args?: Readonly<Record<string, unknown>>): Promise<Ref<'task'>>;
}
export type Client = TypedClient & { readonly $: Caller };

const messagesOf: ReadonlyMap<string, ReadonlyMap<string, FullMessage>> = new Map(
  Object.entries(classes).map(([name, c]) => [name, allMessages(c)]),
);
/** The declaration of `Class.message`. Throws `MESSAGE_METHOD_UNKNOWN`. */
export function messageNamed(method: string): FullMessage {
  const dot = method.indexOf('.');
  const m = messagesOf.get(method.slice(0, dot))?.get(method.slice(dot + 1));
  if (!m) throw ApiError.of('MESSAGE_METHOD_UNKNOWN', { method });
  return m;
}

/** Wire order from names: session first unless the message has none; trailing defaults that were not given are left off. */
export function positional(m: FullMessage, session: string, args: Readonly<Record<string, unknown>>): unknown[] {
  const values: unknown[] = m.session === false ? [] : [session];
  const names = Object.keys(m.params);
  for (const given in args)
    if (!names.includes(given))
      throw new TypeError(`${m.method} has no parameter ${given}; it has ${names.join(', ')}`);
  let last = names.length;
  while (last > 0) {
    const name = names[last - 1] ?? '';
    if (args[name] !== undefined || m.params[name]?.default === undefined) break;
    last--;
  }
  for (const name of names.slice(0, last)) {
    const value = args[name] ?? m.params[name]?.default;
    if (value === undefined) throw new TypeError(`${m.method} needs the parameter ${name}`);
    values.push(value);
  }
  return values;
}

/** A client of one session. The session is used, not owned: log out with `client.session.logout({})`. */
export function createClient(transport: Transport, session: string): Client {
  const call: Caller['call'] = async (method, args = {}, signal) => {
    const m = messageNamed(method);
    return transport.call(method, positional(m, session, args), signal);
  };
  const start: Caller['start'] = async (method, args = {}) => {
    const m = messageNamed(method);
    return (await transport.call(`Async.${method}`, positional(m, session, args))) as Ref<'task'>;
  };
  const rooms = new Map<string, object>([['$', { session, call, start }]]);
  const messages = (cls: string) =>
    new Proxy(
      {},
      { get: (_, name) => (args?: Readonly<Record<string, unknown>>) => call(`${cls}.${String(name)}`, args) },
    );
  const get = (_: object, name: string | symbol) => {
    // a promise that resolves to a client asks for `then`
    if (typeof name === 'symbol' || name === 'then') return undefined;
    let room = rooms.get(name);
    if (!room) rooms.set(name, (room = messages(name)));
    return room;
  };
  return new Proxy({}, { get }) as Client;
}

/** Logs in with a password. Rejects with `SESSION_AUTHENTICATION_FAILED`. */
export async function login(transport: Transport, user: string, password: string, originator = ''): Promise<Client> {
  const session = await transport.call('session.login_with_password', [user, password, '1.0', originator]);
  return createClient(transport, String(session));
}
