/**
 * What a settings file computes with. Strings, numbers, booleans and None are JavaScript's own (null for None); lists are arrays, dicts
 * are maps by their key's `repr`. Nothing of the host can be reached but what the file is handed as modules.
 */
import type { Block, Expression, Parameter } from './syntax.ts';

export type Value = string | number | boolean | null | List | Tuple | Dict | Callable | Module | Thrown | Stream;
export type List = Value[];
export class Tuple {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.items = items;
  }
}
export class Dict {
  readonly entries = new Map<string, [key: Value, value: Value]>();
}
/** A function of the file's own. */
export class Defined {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly body: Block | Expression;
  constructor(name: string, parameters: readonly Parameter[], body: Block | Expression) {
    this.name = name;
    this.parameters = parameters;
    this.body = body;
  }
}
export interface Arguments {
  readonly all: readonly Value[];
  readonly named: Readonly<Record<string, Value>>;
  /** Calls a function value, as `map` does. */
  call(f: Value, args: readonly Value[]): Value;
}
/** A function that the host provides. */
export class Native {
  readonly name: string;
  readonly run: (args: Arguments) => Value;
  constructor(name: string, run: (args: Arguments) => Value) {
    this.name = name;
    this.run = run;
  }
}
export type Callable = Defined | Native;
export class Module {
  readonly name: string;
  readonly members: Readonly<Record<string, Value>>;
  constructor(name: string, members: Readonly<Record<string, Value>>) {
    this.name = name;
    this.members = members;
  }
}
/** `sys.stderr`, `sys.stdout`. */
export class Stream {
  readonly write: (text: string) => void;
  constructor(write: (text: string) => void) {
    this.write = write;
  }
}
/** An exception: its kind (ValueError, NameError, …) and what it says. */
export class Thrown {
  readonly kind: string;
  readonly text: string;
  constructor(kind: string, text: string) {
    this.kind = kind;
    this.text = text;
  }
}
/** A Thrown on its way up. */
export class Raised extends Error {
  override readonly name = 'Raised';
  readonly thrown: Thrown;
  constructor(kind: string, text: string) {
    super(text === '' ? kind : `${kind}: ${text}`);
    this.thrown = new Thrown(kind, text);
  }
}
/** What one value may hold at most: characters, or items. */
export const largest = 1024 * 1024;
export function bounded<T extends string | List>(value: T): T {
  if (value.length > largest) throw new Raised('MemoryError', `more than ${largest} characters or items`);
  return value;
}

export function typeName(v: Value): string {
  if (v === null) return 'NoneType';
  if (typeof v === 'string') return 'str';
  if (typeof v === 'boolean') return 'bool';
  if (typeof v === 'number') return Number.isInteger(v) ? 'int' : 'float';
  if (Array.isArray(v)) return 'list';
  if (v instanceof Tuple) return 'tuple';
  if (v instanceof Dict) return 'dict';
  if (v instanceof Thrown) return v.kind;
  return v instanceof Module ? 'module' : v instanceof Stream ? 'file' : 'function';
}
export function truth(v: Value): boolean {
  if (Array.isArray(v)) return v.length > 0;
  if (v instanceof Tuple) return v.items.length > 0;
  if (v instanceof Dict) return v.entries.size > 0;
  return v !== null && v !== false && v !== 0 && v !== '';
}
/** The items of what can be looped over. */
export function itemsOf(v: Value): readonly Value[] {
  if (Array.isArray(v)) return v;
  if (v instanceof Tuple) return v.items;
  if (typeof v === 'string') return [...v];
  if (v instanceof Dict) return [...v.entries.values()].map(([key]) => key);
  throw new Raised('TypeError', `${typeName(v)} cannot be looped over`);
}
export function equal(a: Value, b: Value): boolean {
  return a === b || compare(a, b) === 0;
}
/** Negative, 0 or positive; different types by their names, as Python 2 does. */
export function compare(a: Value, b: Value): number {
  const [x, y] = [typeof a === 'boolean' ? Number(a) : a, typeof b === 'boolean' ? Number(b) : b];
  if (typeof x === 'number' && typeof y === 'number') return x - y;
  if (typeof x === 'string' && typeof y === 'string') return x < y ? -1 : x > y ? 1 : 0;
  const sequences = (Array.isArray(x) && Array.isArray(y)) || (x instanceof Tuple && y instanceof Tuple);
  if (sequences) {
    const [xs, ys] = [itemsOf(x), itemsOf(y)];
    for (let i = 0; i < Math.min(xs.length, ys.length); i++) {
      const c = compare(xs[i] as Value, ys[i] as Value);
      if (c !== 0) return c;
    }
    return xs.length - ys.length;
  }
  if (x === y) return 0;
  return typeName(x) < typeName(y) ? -1 : 1;
}
/** As `print` and `%s` show it. */
export function str(v: Value): string {
  if (typeof v === 'string') return v;
  return v instanceof Thrown ? v.text : repr(v);
}
/** As it would be written in a file. */
export function repr(v: Value, depth = 0): string {
  if (depth > 20) return '...';
  const list = (items: readonly Value[]) => items.map((i) => repr(i, depth + 1)).join(', ');
  if (v === null) return 'None';
  if (typeof v === 'boolean') return v ? 'True' : 'False';
  if (typeof v === 'number') return String(v);
  if (typeof v === 'string') return quoted(v);
  if (Array.isArray(v)) return bounded(`[${list(v)}]`);
  if (v instanceof Tuple) return bounded(v.items.length === 1 ? `(${list(v.items)},)` : `(${list(v.items)})`);
  if (v instanceof Dict) {
    return bounded(
      `{${[...v.entries.values()].map(([k, w]) => `${repr(k, depth + 1)}: ${repr(w, depth + 1)}`).join(', ')}}`,
    );
  }
  if (v instanceof Thrown) return `${v.kind}(${quoted(v.text)})`;
  return `<${typeName(v)}${'name' in v ? ` ${v.name}` : ''}>`;
}
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inner = text.replace(/[\\\n\r\t'\x00-\x1f]/g, (c) => {
    if (c === "'") return quote === "'" ? "\\'" : c;
    return shown[c] ?? `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `${quote}${inner}${quote}`;
}
const shown: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
