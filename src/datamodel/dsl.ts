/**
 * The language in which the API is declared: one literal per class, from which everything else is derived — the types
 * of records, handlers and clients by inference, dispatch, roles, `xe` and the documents from the same value at run time.
 *
 * Values are plain JSON values in memory, in the database and in both codecs: an int is a safe integer, a datetime is
 * the wire text `YYYYMMDDTHH:MM:SSZ`, a reference is `OpaqueRef:…`.
 */

export type Kind =
  | 'string'
  | 'int'
  | 'float'
  | 'bool'
  | 'datetime'
  | 'void' // prettier than one per line
  | 'enum'
  | 'ref'
  | 'set'
  | 'map'
  | 'record'
  | 'option';

/** A type of the API. `_` exists for inference only and is never set. */
export interface Type<T> {
  readonly kind: Kind;
  readonly _?: T;
  /** Enum: its name and values. */
  readonly name?: string;
  readonly values?: readonly string[];
  /** Reference or record: the class. */
  readonly cls?: string;
  /** Set, option: the element; map: the value. */
  readonly of?: Type<unknown>;
  /** Map: the key. */
  readonly key?: Type<unknown>;
  /** Parameter: what an absent trailing argument means. */
  readonly default?: T;
  /** Parameter: the release that added it, when later than its message. */
  readonly since?: string;
  /** Parameter: never logged. */
  readonly secret?: boolean;
}
export type Infer<X> = X extends Type<infer T> ? T : never;
/** A reference to an object of class `C`. */
export type Ref<C extends string> = string & { readonly __ref?: C };
export const nullRef = 'OpaqueRef:NULL';
/** The datetime that means never. */
export const never = '19700101T00:00:00Z';

const prim = <T>(kind: Kind): Type<T> => ({ kind });
export const t = {
  string: prim<string>('string'),
  int: prim<number>('int'),
  float: prim<number>('float'),
  bool: prim<boolean>('bool'),
  datetime: prim<string>('datetime'),
  none: prim<void>('void'),
  enum: <const V extends readonly string[]>(name: string, values: V): Type<V[number]> => ({
    kind: 'enum',
    name,
    values,
  }),
  ref: <const C extends string>(cls: C): Type<Ref<C>> => ({ kind: 'ref', cls }),
  record: (cls: string): Type<Readonly<Record<string, unknown>>> => ({ kind: 'record', cls }),
  set: <T>(of: Type<T>): Type<readonly T[]> => ({ kind: 'set', of }),
  map: <K extends string | number, V>(key: Type<K>, of: Type<V>): Type<Readonly<Record<string, V>>> => ({
    kind: 'map',
    key,
    of,
  }),
  option: <T>(of: Type<T>): Type<T | undefined> => ({ kind: 'option', of }),
};
/** A parameter that may be left off from the right. */
export const opt = <T>(type: Type<T>, value: T, since?: string): Type<T> => ({ ...type, default: value, since });
/** A parameter that never shows in logs. */
export const secret = <T>(type: Type<T>): Type<T> => ({ ...type, secret: true });

/** Roles from the strongest to the weakest; `local-root` is held by no role: only by root on the host and by the pool. */
export const roleOrder = [
  'pool-admin',
  'pool-operator',
  'vm-power-admin',
  'vm-admin',
  'vm-operator',
  'client-cert',
  'read-only',
] as const;
export type RoleName = (typeof roleOrder)[number];
export type Role = RoleName | 'local-root';

/** RW: clients set it. StaticRO: given at creation. DynamicRO: the server's. */
export type Access = 'RW' | 'StaticRO' | 'DynamicRO';

export interface Field {
  readonly type: Type<unknown>;
  readonly access: Access;
  /** One sentence. */
  readonly doc: string;
  /** `published rio; deprecated boston`: a state and its release, in order; a lone release means published. */
  readonly life: string;
  readonly default?: unknown;
  /** Never leaves the server. */
  readonly internal?: boolean;
  /** False: lost at restart. */
  readonly persistent?: boolean;
  readonly readRole?: Role;
  readonly writeRole?: Role;
  readonly writeRoleExtra?: readonly Role[];
  /** Roles of single map keys; a trailing `*` matches a prefix. */
  readonly keyRoles?: Readonly<Record<string, Role>>;
  /** The set end of a one-to-many relation: the field that holds the single reference, `Class.field`. Computed, never written. */
  readonly from?: string;
  /** The other end of a many-to-many relation. */
  readonly mirrors?: string;
  /** May hold a reference to nothing that exists. */
  readonly dangling?: boolean;
  readonly synthetic?: boolean;
  /** The setter does more than write: it needs a handler `set_<field>`. */
  readonly effect?: boolean;
  readonly tags?: readonly string[];
}

export interface Message {
  readonly doc: string;
  /** In wire order, without the session. */
  // biome-ignore lint/suspicious/noExplicitAny: the seam of inference: a parameter may have any type
  readonly params: Readonly<Record<string, Type<any>>>;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly result: Type<any>;
  /** The weakest role that may call it. */
  readonly role: Role;
  readonly life: string;
  readonly extraRoles?: readonly Role[];
  readonly keyRoles?: Readonly<Record<string, Role>>;
  /** Codes that are particular to it; session, role, reference and parameter errors apply to all. */
  readonly errors?: readonly string[];
  /** True: there is no `Async.` form. */
  readonly sync?: boolean;
  /** False: no session comes first on the wire. */
  readonly session?: boolean;
  /** Left out of documents and SDKs, but callable. */
  readonly hidden?: boolean;
  readonly poolInternal?: boolean;
  readonly emergency?: boolean;
  readonly onSupporter?: boolean;
  readonly resultSecret?: boolean;
  /** Not listed in current_operations. */
  readonly quiet?: boolean;
  readonly forwardTo?: string;
  /** The operation that is checked against the lifecycle table and held while the call runs, on the first parameter. */
  readonly op?: string;
  /** Where it runs: on the host that the first parameter is resident on, or on any. */
  readonly runsOn?: 'resident-host';
  readonly tags?: readonly string[];
}

export interface Class {
  readonly name: string;
  readonly doc: string;
  readonly life: string;
  /** Has `create` and `destroy` as implicit messages. */
  readonly lifecycle: boolean;
  readonly events: boolean;
  /** False: rows are lost at restart. */
  readonly persistent: boolean;
  readonly inDatabase: boolean;
  readonly getAll: boolean;
  readonly role: Role;
  readonly readRole: Role;
  readonly roleExtra?: readonly Role[];
  readonly fields: Readonly<Record<string, Field>>;
  readonly messages: Readonly<Record<string, Message>>;
  readonly tags?: readonly string[];
}

/** Identity at run time; its job is to keep every literal type. */
export const cls = <const C extends Class>(c: C): C => c;
type FieldOptions = Omit<Field, 'type' | 'access' | 'doc' | 'life'>;
export const field = <T, const A extends Access>(
  type: Type<T>,
  access: A,
  life: string,
  doc: string,
  options: FieldOptions = {},
) => ({ type, access, life, doc, ...options });

export type LifeState = 'published' | 'prototyped' | 'deprecated' | 'removed';
/** The last state that a `life` text names: `published rio; deprecated boston` is deprecated. */
export function lifeState(life: string): LifeState {
  let state: LifeState = 'published';
  for (const step of life.split('; ')) {
    const word = step.split(' ')[0];
    if (word === 'published' || word === 'prototyped' || word === 'deprecated' || word === 'removed') state = word;
  }
  return state;
}

// ---- derived types ----------------------------------------------------
export type RecordOf<C extends Class> = { readonly [K in keyof C['fields']]: Infer<C['fields'][K]['type']> };
export type Args<M extends Message> = { readonly [K in keyof M['params']]: Infer<M['params'][K]> };
export type Result<M extends Message> = Infer<M['result']>;
/** One handler per custom message. */
export type Handlers<C extends Class, Ctx> = {
  readonly [M in keyof C['messages']]: (
    ctx: Ctx,
    args: Args<C['messages'][M]>,
  ) => Promise<Result<C['messages'][M]>> | Result<C['messages'][M]>;
};
