/**
 * Records as `xe` shows them: which names a class has on the command line, where each value comes from, and how it may be
 * written. Types, setters and references follow from the data model, so a row states only what differs from it.
 */

export type RowKind = 'scalar' | 'set' | 'map';

export interface Row {
  /** As typed and printed: `power-state`. */
  readonly name: string;
  readonly kind: RowKind;
  /** Marked as writable when printed. */
  readonly writable: boolean;
  /** A field of the class, or of an object that it refers to: `power_state`, `metrics>memory_actual`. */
  readonly path: string;
  /** A message that answers the value, given the object first. */
  readonly call?: string;
  /** A row of `derived.ts` that computes the value. */
  readonly derived?: boolean;
  /** Costs more than a look at the database: lists print a placeholder. */
  readonly expensive?: boolean;
  /** Shown only when asked for by name. */
  readonly hidden?: boolean;
  readonly deprecated?: boolean;
  /** Filters on it ignore case. */
  readonly ignoreCase?: boolean;
  /** The whole value can be set, with `set_<field>`. */
  readonly settable?: boolean;
  /** Members or keys can be added and removed. */
  readonly addable?: boolean;
  /** Messages that write, where their names do not follow from the field. */
  readonly via?: {
    readonly set?: string;
    readonly add?: string;
    readonly remove?: string;
    /** Sets one key of a map: (self, name, value). */
    readonly key?: string;
  };
  /** Set, add and remove by reading the whole value and writing it back. */
  readonly whole?: boolean;
}

export interface RecordKind {
  /** The class of the API. */
  readonly cls: string;
  readonly rows: readonly Row[];
}

/** `X-list`, `X-param-list` … : one family per row. */
export interface Family {
  /** `vm` in `vm-list`. */
  readonly prefix: string;
  readonly record: RecordKind;
  /** What `X-list` prints without `params=`. Empty: everything. */
  readonly columns: readonly string[];
  /** Always applied. */
  readonly filters: Readonly<Record<string, string>>;
}

type Options = Omit<Partial<Row>, 'name' | 'kind' | 'writable' | 'path'>;
const plain = (name: string) => name.replaceAll('-', '_');
const row =
  (kind: RowKind, base: Options & { writable: boolean }) =>
  (name: string, path: string = plain(name), options: Options = {}): Row => ({ name, kind, path, ...base, ...options });

export const ro = row('scalar', { writable: false });
export const rw = row('scalar', { writable: true, settable: true });
export const setRo = row('set', { writable: false });
export const setRw = row('set', { writable: true, addable: true });
export const mapRo = row('map', { writable: false });
export const mapRw = row('map', { writable: true, addable: true });

/** The row of that name. */
export const rowNamed = (record: RecordKind, name: string): Row | undefined => record.rows.find((r) => r.name === name);
