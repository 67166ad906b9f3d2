/**
 * Shapes of what crosses between daemons, as values: TypeScript types by inference, checks at sockets at run time.
 * Unknown members are refused, so that a misspelt option never passes silently.
 */
export interface Schema<T> {
  readonly _?: T;
  /** The value, checked (and nothing changed), or a `ShapeError` that names the path. */
  check(value: unknown, path: string): T;
  readonly optional?: boolean;
}
export type Shape<S> = S extends Schema<infer T> ? T : never;

/** A value of the wrong shape: `vm.memory.staticMax: expected an integer, got "many"`. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';
  constructor(path: string, expected: string, value: unknown) {
    super(`${path}: expected ${expected}, got ${excerpt(value)}`);
  }
}
function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

const leaf = <T>(expected: string, fits: (v: unknown) => boolean): Schema<T> => ({
  check(value, path) {
    if (!fits(value)) throw new ShapeError(path, expected, value);
    return value as T;
  },
});
const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);

type Members = Readonly<Record<string, Schema<unknown>>>;
type OptionalKeys<M extends Members> = {
  [K in keyof M]: M[K] extends { readonly optional: true } ? K : never;
}[keyof M];
export type ObjectOf<M extends Members> = { readonly [K in Exclude<keyof M, OptionalKeys<M>>]: Shape<M[K]> } & {
  readonly [K in OptionalKeys<M>]?: Shape<M[K]>;
};

export const s = {
  string: leaf<string>('a string', (v) => typeof v === 'string'),
  boolean: leaf<boolean>('true or false', (v) => typeof v === 'boolean'),
  /** A safe integer. */
  int: leaf<number>('an integer', (v) => Number.isSafeInteger(v)),
  /** A safe integer that is not negative: sizes, counts. */
  size: leaf<number>('an integer of 0 or more', (v) => Number.isSafeInteger(v) && (v as number) >= 0),
  number: leaf<number>('a number', (v) => typeof v === 'number' && Number.isFinite(v)),
  nothing: { check: () => undefined } as Schema<void>,
  any: { check: (v) => v } as Schema<unknown>,
  oneOf: <const V extends readonly string[]>(...values: V): Schema<V[number]> =>
    leaf<V[number]>(`one of ${values.join(', ')}`, (v) => values.includes(v as string)),
  literal: <const V extends string>(value: V): Schema<V> => leaf<V>(`"${value}"`, (v) => v === value),
  list: <T>(of: Schema<T>): Schema<readonly T[]> => ({
    check(value, path) {
      if (!Array.isArray(value)) throw new ShapeError(path, 'a list', value);
      value.forEach((v, i) => {
        of.check(v, `${path}[${i}]`);
      });
      return value;
    },
  }),
  record: <T>(of: Schema<T>): Schema<Readonly<Record<string, T>>> => ({
    check(value, path) {
      if (!isObject(value)) throw new ShapeError(path, 'an object', value);
      for (const [k, v] of Object.entries(value)) of.check(v, `${path}.${k}`);
      return value as Record<string, T>;
    },
  }),
  nullable: <T>(of: Schema<T>): Schema<T | null> => ({ check: (v, path) => (v === null ? null : of.check(v, path)) }),
  optional: <T>(of: Schema<T>): Schema<T | undefined> & { readonly optional: true } => ({
    optional: true,
    check: (v, path) => (v === undefined ? undefined : of.check(v, path)),
  }),
  object: <const M extends Members>(members: M): Schema<ObjectOf<M>> => ({
    check(value, path) {
      if (!isObject(value)) throw new ShapeError(path, 'an object', value);
      for (const k of Object.keys(value))
        if (!(k in members)) throw new ShapeError(`${path}.${k}`, 'no such member', value[k]);
      for (const [k, of] of Object.entries(members)) of.check(value[k], `${path}.${k}`);
      return value as ObjectOf<M>;
    },
  }),
  /** An object of one of several shapes, told apart by the literal member `tag`. */
  union: <const O extends Readonly<Record<string, Schema<unknown>>>>(
    tag: string,
    options: O,
  ): Schema<Shape<O[keyof O]>> => ({
    check(value, path) {
      const name = isObject(value) ? value[tag] : undefined;
      const of = typeof name === 'string' && Object.hasOwn(options, name) ? options[name] : undefined;
      if (!of) throw new ShapeError(`${path}.${tag}`, `one of ${Object.keys(options).join(', ')}`, name ?? value);
      return of.check(value, path) as Shape<O[keyof O]>;
    },
  }),
};
