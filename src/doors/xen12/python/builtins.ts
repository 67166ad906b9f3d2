/** The functions that every settings file has, methods of strings, lists and dicts, and the modules `string`, `os`, `time`. */
import { keyOf } from './operators.ts';
import {
  type Arguments,
  bounded,
  compare,
  Dict,
  equal,
  itemsOf,
  type List,
  Module,
  Native,
  Raised,
  repr,
  str,
  Thrown,
  Tuple,
  truth,
  typeName,
  type Value,
} from './values.ts';

type Run = (a: readonly Value[], args: Arguments) => Value;
const native = (name: string, least: number, most: number, run: Run): Native =>
  new Native(name, (args) => {
    if (args.all.length < least || args.all.length > most) {
      const wanted = least === most ? `${least}` : `${least} to ${most}`;
      throw new Raised('TypeError', `${name}() takes ${wanted} arguments (${args.all.length} given)`);
    }
    return run(args.all, args);
  });
export function text(v: Value | undefined, what: string): string {
  if (typeof v !== 'string') throw new Raised('TypeError', `${what} must be a string, not ${typeName(v ?? null)}`);
  return v;
}
export function integer(v: Value | undefined, what: string): number {
  if (typeof v === 'boolean') return Number(v);
  if (typeof v !== 'number' || !Number.isInteger(v))
    throw new Raised('TypeError', `${what} must be an integer, not ${typeName(v ?? null)}`);
  return v;
}
function parseInteger(v: Value, base = 10): number {
  if (typeof v === 'number') return Math.trunc(v);
  if (typeof v === 'boolean') return Number(v);
  const digits = text(v, 'int()').trim().replace(/[lL]$/, '');
  const pattern = base === 16 ? /^[-+]?(?:0[xX])?[0-9a-fA-F]+$/ : base === 8 ? /^[-+]?[0-7]+$/ : /^[-+]?\d+$/;
  const value = base === 10 ? Number(digits) : Number.parseInt(digits, base);
  if (!pattern.test(digits) || !Number.isSafeInteger(value))
    throw new Raised('ValueError', `invalid literal for int(): ${repr(v)}`);
  return value;
}
const functions: readonly Native[] = [
  native('int', 0, 2, ([v = 0, base = 10]) => parseInteger(v, integer(base, 'the base'))),
  native('long', 0, 2, ([v = 0, base = 10]) => parseInteger(v, integer(base, 'the base'))),
  native('float', 1, 1, ([v = 0]) => {
    const value = typeof v === 'string' ? Number(v.trim() || Number.NaN) : Number(v);
    if (Number.isNaN(value)) throw new Raised('ValueError', `invalid literal for float(): ${repr(v)}`);
    return value;
  }),
  native('str', 0, 1, ([v = '']) => str(v)),
  native('repr', 1, 1, ([v = null]) => repr(v)),
  native('bool', 1, 1, ([v = null]) => truth(v)),
  native('len', 1, 1, ([v = null]) => (typeof v === 'string' ? v.length : itemsOf(v).length)),
  native('abs', 1, 1, ([v]) => Math.abs(Number(v))),
  native('ord', 1, 1, ([v]) => text(v, 'ord()').charCodeAt(0)),
  native('chr', 1, 1, ([v]) => String.fromCharCode(integer(v, 'chr()') & 255)),
  native('hex', 1, 1, ([v]) => `0x${integer(v, 'hex()').toString(16)}`),
  native('list', 0, 1, ([v = []]) => [...itemsOf(v)]),
  native('tuple', 0, 1, ([v = []]) => new Tuple([...itemsOf(v)])),
  native('sorted', 1, 1, ([v = []]) => [...itemsOf(v)].sort(compare)),
  native('sum', 1, 1, ([v = []]) => itemsOf(v).reduce<number>((sum, i) => sum + Number(i), 0)),
  native('min', 1, 100, (a) => extreme(a, -1)),
  native('max', 1, 100, (a) => extreme(a, 1)),
  native('range', 1, 3, range),
  native('xrange', 1, 3, range),
  native('map', 2, 2, ([f = null, v = []], { call }) => itemsOf(v).map((i) => (f === null ? i : call(f, [i])))),
  native('filter', 2, 2, ([f = null, v = []], { call }) =>
    itemsOf(v).filter((i) => truth(f === null ? i : call(f, [i]))),
  ),
  native('zip', 0, 10, (a) => {
    const lists = a.map(itemsOf);
    return Array.from(
      { length: Math.min(...lists.map((l) => l.length)) },
      (_, i) => new Tuple(lists.map((l) => l[i] as Value)),
    );
  }),
  native('isinstance', 2, 2, ([v = null, kind = null]) => kind instanceof Native && kind.name === typeName(v)),
];
function range(a: readonly Value[]): List {
  const numbers = a.map((v) => integer(v, 'range()'));
  const [from = 0, to = 0, step = 1] = numbers.length === 1 ? [0, ...numbers] : numbers;
  if (step === 0) throw new Raised('ValueError', 'the step of range() must not be 0');
  const length = Math.max(0, Math.ceil((to - from) / step));
  if (length > 100_000) throw new Raised('MemoryError', `range() of ${length} items`);
  return Array.from({ length }, (_, i) => from + i * step);
}
function extreme(a: readonly Value[], sign: 1 | -1): Value {
  const items = a.length === 1 ? itemsOf(a[0] as Value) : a;
  if (items.length === 0) throw new Raised('ValueError', 'there are no items');
  return items.reduce((best, i) => (compare(i, best) * sign > 0 ? i : best));
}
/** Kinds of exceptions, and which others each stands for. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  Exception: [],
  StandardError: ['Exception'],
  ...Object.fromEntries(
    [
      'NameError',
      'ValueError',
      'TypeError',
      'AssertionError',
      'AttributeError',
      'ImportError',
      'ArithmeticError',
      'LookupError',
      'MemoryError',
      'EnvironmentError',
      'RuntimeError',
      'SystemExit',
    ].map((kind) => [kind, ['StandardError', 'Exception']]),
  ),
  IndexError: ['LookupError', 'StandardError', 'Exception'],
  KeyError: ['LookupError', 'StandardError', 'Exception'],
  ZeroDivisionError: ['ArithmeticError', 'StandardError', 'Exception'],
  OverflowError: ['ArithmeticError', 'StandardError', 'Exception'],
  IOError: ['EnvironmentError', 'StandardError', 'Exception'],
  OSError: ['EnvironmentError', 'StandardError', 'Exception'],
};
/** Whether `except KIND` takes it. */
export function catches(kind: Value, thrown: Thrown): boolean {
  if (kind instanceof Tuple) return kind.items.some((k) => catches(k, thrown));
  return kind instanceof Native && (kind.name === thrown.kind || (kinds[thrown.kind] ?? []).includes(kind.name));
}
export function builtins(): Map<string, Value> {
  const exceptions = Object.keys(kinds).map((kind) => native(kind, 0, 2, ([v = '']) => new Thrown(kind, str(v))));
  return new Map([...functions, ...exceptions].map((f): [string, Value] => [f.name, f]));
}

type Methods = Readonly<Record<string, (of: never, a: readonly Value[], args: Arguments) => Value>>;
const methods: Readonly<Record<'str' | 'list' | 'dict', Methods>> = {
  str: {
    split: (s: string, [by, most]) => split(s, by, most),
    strip: (s: string) => s.trim(),
    lstrip: (s: string) => s.trimStart(),
    rstrip: (s: string) => s.trimEnd(),
    upper: (s: string) => s.toUpperCase(),
    lower: (s: string) => s.toLowerCase(),
    startswith: (s: string, [head]) => s.startsWith(text(head, 'startswith()')),
    endswith: (s: string, [tail]) => s.endsWith(text(tail, 'endswith()')),
    find: (s: string, [part]) => s.indexOf(text(part, 'find()')),
    rfind: (s: string, [part]) => s.lastIndexOf(text(part, 'rfind()')),
    count: (s: string, [part]) => s.split(text(part, 'count()')).length - 1,
    replace: (s: string, [from, to]) => bounded(s.replaceAll(text(from, 'replace()'), text(to, 'replace()'))),
    join: (s: string, [items = []]) =>
      bounded(
        itemsOf(items)
          .map((i) => text(i, 'an item of join()'))
          .join(s),
      ),
    isdigit: (s: string) => /^\d+$/.test(s),
    zfill: (s: string, [width]) => s.padStart(Math.min(integer(width, 'zfill()'), 1000), '0'),
    ljust: (s: string, [width]) => s.padEnd(Math.min(integer(width, 'ljust()'), 1000)),
    rjust: (s: string, [width]) => s.padStart(Math.min(integer(width, 'rjust()'), 1000)),
  },
  list: {
    append(l: List, [v = null]) {
      l.push(v);
      bounded(l);
      return null;
    },
    extend(l: List, [v = []]) {
      for (const i of itemsOf(v)) l.push(i);
      bounded(l);
      return null;
    },
    insert(l: List, [at, v = null]) {
      l.splice(integer(at, 'insert()'), 0, v);
      return null;
    },
    pop: (l: List, [at = -1]) => l.splice(integer(at, 'pop()'), 1)[0] ?? raise('IndexError', 'pop from empty list'),
    remove(l: List, [v = null]) {
      const at = l.findIndex((i) => equal(i, v));
      if (at < 0) raise('ValueError', `${repr(v)} is not in the list`);
      l.splice(at, 1);
      return null;
    },
    reverse(l: List) {
      l.reverse();
      return null;
    },
    sort(l: List) {
      l.sort(compare);
      return null;
    },
    index: (l: List, [v = null]) => {
      const at = l.findIndex((i) => equal(i, v));
      return at < 0 ? raise('ValueError', `${repr(v)} is not in the list`) : at;
    },
    count: (l: List, [v = null]) => l.filter((i) => equal(i, v)).length,
  },
  dict: {
    keys: (d: Dict) => [...d.entries.values()].map(([k]) => k),
    values: (d: Dict) => [...d.entries.values()].map(([, v]) => v),
    items: (d: Dict) => [...d.entries.values()].map(([k, v]) => new Tuple([k, v])),
    get: (d: Dict, [k = null, fallback = null]) => d.entries.get(keyOf(k))?.[1] ?? fallback,
    has_key: (d: Dict, [k = null]) => d.entries.has(keyOf(k)),
  },
};
function raise(kind: string, why: string): never {
  throw new Raised(kind, why);
}
function split(s: string, by: Value | undefined, most: Value | undefined): List {
  const parts =
    by === undefined || by === null
      ? s
          .trim()
          .split(/\s+/)
          .filter((p) => p !== '')
      : s.split(text(by, 'split()'));
  const limit = most === undefined ? parts.length : integer(most, 'split()');
  if (parts.length <= limit + 1 || limit < 0) return parts;
  return [
    ...parts.slice(0, limit),
    parts.slice(limit).join(by === undefined || by === null ? ' ' : text(by, 'split()')),
  ];
}
/** `of.name`. */
export function getAttribute(of: Value, name: string): Value {
  if (of instanceof Module) {
    if (Object.hasOwn(of.members, name)) return of.members[name] as Value;
    throw new Raised('AttributeError', `the module ${of.name} has no ${name} here`);
  }
  const table =
    typeof of === 'string' ? methods.str : Array.isArray(of) ? methods.list : of instanceof Dict ? methods.dict : {};
  if (Object.hasOwn(table, name)) {
    const method = (table as Methods)[name];
    return new Native(name, (args) => method?.(of as never, args.all, args) ?? null);
  }
  throw new Raised('AttributeError', `${typeName(of)} has no ${name}`);
}
/** `string.join(list, " ")` and the like: functions that are methods of a string. */
export function stringModule(): Module {
  const own = Object.keys(methods.str).map((name): [string, Value] => [
    name,
    new Native(name, (args) => {
      const [first = '', ...rest] = args.all;
      const [of, others] = name === 'join' ? [rest[0] ?? ' ', [first]] : [first, rest];
      return methods.str[name]?.(text(of, `string.${name}()`) as never, others, args) ?? null;
    }),
  ]);
  const atoi = native('atoi', 1, 2, ([v = '', base = 10]) => parseInteger(v, integer(base, 'the base')));
  const letters = { digits: '0123456789', lowercase: 'abcdefghijklmnopqrstuvwxyz' };
  return new Module('string', { ...Object.fromEntries(own), atoi, ...letters });
}
export { native };
