/**
 * Types of the xenopsd interface as values, after its rules: names of members and variants in any case; an option is absent
 * or bare as a member of a record or as a parameter, `[]` or `[x]` anywhere else; unknown members are passed over. Inside the
 * door an option is a value or null everywhere, and every member is there.
 */
export interface WireType<T> {
  readonly _?: T;
  /** The value, checked; `WireError` names the path. */
  decode(value: unknown, path: string): T;
  encode(value: T): unknown;
  /** What it means that a member is absent. */
  readonly absent?: { readonly value: T };
  /** Of an option: the bare type. */
  readonly bare?: WireType<unknown>;
}
export type Decoded<W> = W extends WireType<infer T> ? T : never;

/** A value of the wrong shape: `vm.memory_static_max: expected an integer, got "many"`. */
export class WireError extends Error {
  override readonly name = 'WireError';
  constructor(path: string, expected: string, value: unknown) {
    const text = JSON.stringify(value);
    const found = text === undefined ? 'it is missing' : `got ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`;
    super(`${path}: expected ${expected}, ${found}`);
  }
}
type Members = Readonly<Record<string, WireType<unknown>>>;
type RecordOf<M extends Members> = { readonly [K in keyof M]: Decoded<M[K]> };
type Options = Readonly<Record<string, WireType<unknown> | null>>;
type VariantOf<V extends Options> = {
  readonly [K in keyof V]: V[K] extends WireType<infer A> ? readonly [K, A] : K;
}[keyof V];
type TupleOf<T extends readonly WireType<unknown>[]> = { readonly [K in keyof T]: Decoded<T[K]> };

const isObject = (v: unknown): v is Readonly<Record<string, unknown>> =>
  typeof v === 'object' && v !== null && !Array.isArray(v);
const same = (v: unknown): unknown => v;
function leaf<T>(expected: string, read: (v: unknown) => T | undefined): WireType<T> {
  return {
    decode(value, path) {
      const found = read(value);
      if (found === undefined) throw new WireError(path, expected, value);
      return found;
    },
    encode: same,
  };
}
/** XML-RPC carries 64-bit numbers as text. */
const numeric = (v: unknown): unknown => (typeof v === 'string' && /^-?[0-9]{1,16}$/.test(v) ? Number(v) : v);

function record<const M extends Members>(members: M): WireType<RecordOf<M>> {
  const rows = Object.entries(members);
  return {
    decode(value, path) {
      if (!isObject(value)) throw new WireError(path, 'an object', value);
      const given = new Map(Object.entries(value).map(([k, v]) => [k.toLowerCase(), v]));
      const made = rows.map(([name, type]) => [name, decodeMember(type, given.get(name), `${path}.${name}`)]);
      // Every declared member was decoded by its own type.
      return Object.fromEntries(made) as RecordOf<M>;
    },
    encode(value) {
      const out: Record<string, unknown> = {};
      for (const [name, type] of rows) {
        const v = value[name];
        if (!type.bare) out[name] = type.encode(v);
        else if (v !== null) out[name] = type.bare.encode(v);
      }
      return out;
    },
  };
}
/** A member of a record, or a parameter of a call: an option is absent or bare there. */
export function decodeMember(type: WireType<unknown>, value: unknown, path: string): unknown {
  if (type.bare) return value === undefined || value === null ? null : type.bare.decode(value, path);
  if (value === undefined && type.absent) return type.absent.value;
  return type.decode(value, path);
}
function variant<const V extends Options>(options: V): WireType<VariantOf<V>> {
  const byName = new Map(Object.entries(options).map(([name, arg]) => [name.toLowerCase(), { name, arg }]));
  return {
    decode(value, path) {
      const [tag, arg, ...rest] = Array.isArray(value) ? value : [value];
      const found = typeof tag === 'string' ? byName.get(tag.toLowerCase()) : undefined;
      if (!found || rest.length > 0) throw new WireError(path, `one of ${Object.keys(options).join(', ')}`, value);
      if (found.arg === null) return found.name as VariantOf<V>;
      return [found.name, found.arg.decode(arg, `${path}.${found.name}`)] as unknown as VariantOf<V>;
    },
    encode(value) {
      const tagged = value as unknown as string | readonly [string, unknown];
      if (typeof tagged === 'string') return tagged;
      return [tagged[0], options[tagged[0]]?.encode(tagged[1])];
    },
  };
}
export const w = {
  string: leaf<string>('a string', (v) => (typeof v === 'string' ? v : undefined)),
  boolean: leaf<boolean>('true or false', (v) => (typeof v === 'boolean' ? v : undefined)),
  int: leaf<number>('an integer', (v) => (Number.isSafeInteger(numeric(v)) ? (numeric(v) as number) : undefined)),
  number: leaf<number>('a number', (v) => {
    const n = typeof v === 'string' && v.trim() !== '' ? Number(v) : v;
    return Number.isFinite(n) ? (n as number) : undefined;
  }),
  unit: { decode: () => null, encode: () => null } as WireType<null>,
  any: { decode: same, encode: same } as WireType<unknown>,
  list: <T>(of: WireType<T>): WireType<readonly T[]> => ({
    decode(value, path) {
      if (!Array.isArray(value)) throw new WireError(path, 'a list', value);
      return value.map((v, i) => of.decode(v, `${path}[${i}]`));
    },
    encode: (value) => value.map((v) => of.encode(v)),
  }),
  map: <T>(of: WireType<T>): WireType<Readonly<Record<string, T>>> => ({
    decode(value, path) {
      if (!isObject(value)) throw new WireError(path, 'an object', value);
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, of.decode(v, `${path}.${k}`)]));
    },
    encode: (value) => Object.fromEntries(Object.entries(value).map(([k, v]) => [k, of.encode(v)])),
  }),
  tuple: <const T extends readonly WireType<unknown>[]>(...types: T): WireType<TupleOf<T>> => ({
    decode(value, path) {
      if (!Array.isArray(value) || value.length !== types.length)
        throw new WireError(path, `a list of ${types.length}`, value);
      return types.map((type, i) => type.decode(value[i], `${path}[${i}]`)) as unknown as TupleOf<T>;
    },
    encode: (value) => types.map((type, i) => type.encode((value as readonly unknown[])[i])),
  }),
  option: <T>(of: WireType<T>): WireType<T | null> => ({
    bare: of as WireType<unknown>,
    decode(value, path) {
      if (!Array.isArray(value) || value.length > 1) throw new WireError(path, '[] or [value]', value);
      return value.length === 0 ? null : of.decode(value[0], `${path}[0]`);
    },
    encode: (value) => (value === null ? [] : [of.encode(value)]),
  }),
  /** A member that means `value` where it is absent. */
  usual: <T>(of: WireType<T>, value: T): WireType<T> => ({ ...of, absent: { value } }),
  record,
  variant,
};

export interface WireMethod<P extends Members = Members, R = unknown> {
  readonly params: P;
  readonly result: WireType<R>;
}
export const method = <const P extends Members, R>(params: P, result: WireType<R>): WireMethod<P, R> => ({
  params,
  result,
});
export type ParamsOf<M> = M extends WireMethod<infer P, infer _> ? RecordOf<P> : never;
export type ResultOf<M> = M extends WireMethod<infer _, infer R> ? R : never;
