/** Arithmetic, comparison and access of values. */
import { formatText } from './format.ts';
import {
  bounded,
  compare,
  Dict,
  equal,
  itemsOf,
  type List,
  Raised,
  repr,
  Tuple,
  truth,
  typeName,
  type Value,
} from './values.ts';

const wrong = (op: string, a: Value, b: Value) =>
  new Raised('TypeError', `${op} is not possible on ${typeName(a)} and ${typeName(b)}`);
const number = (v: Value): number | undefined =>
  typeof v === 'number' ? v : typeof v === 'boolean' ? Number(v) : undefined;

export function binary(op: string, a: Value, b: Value): Value {
  if (op === '%' && typeof a === 'string') return formatText(a, b);
  if (op === '+') {
    if (typeof a === 'string' && typeof b === 'string') return bounded(a + b);
    if (Array.isArray(a) && Array.isArray(b)) return bounded([...a, ...b]);
    if (a instanceof Tuple && b instanceof Tuple) return new Tuple(bounded([...a.items, ...b.items]));
  }
  if (op === '*' && (number(a) === undefined) !== (number(b) === undefined)) return repeated(a, b);
  const [x, y] = [number(a), number(b)];
  if (x === undefined || y === undefined) throw wrong(op, a, b);
  return arithmetic(op, x, y);
}
function repeated(a: Value, b: Value): Value {
  const [of, times] = number(a) === undefined ? [a, Math.max(0, number(b) ?? 0)] : [b, Math.max(0, number(a) ?? 0)];
  const length = (typeof of === 'string' ? of.length : itemsOf(of).length) * times;
  if (length > 1024 * 1024) throw new Raised('MemoryError', `${length} characters or items`);
  if (typeof of === 'string') return of.repeat(times);
  if (of instanceof Dict) throw wrong('*', a, b);
  const items = Array.from({ length: times }, () => itemsOf(of)).flat();
  return of instanceof Tuple ? new Tuple(items) : items;
}
const arithmetics: Readonly<Record<string, (x: number, y: number) => number>> = {
  '+': (x, y) => x + y,
  '-': (x, y) => x - y,
  '*': (x, y) => x * y,
  // Of integers the quotient is rounded down, as in Python 2.
  '/': (x, y) => (Number.isInteger(x) && Number.isInteger(y) ? Math.floor(x / y) : x / y),
  '//': (x, y) => Math.floor(x / y),
  '%': (x, y) => x - y * Math.floor(x / y),
  '**': (x, y) => x ** y,
  '&': (x, y) => Number(BigInt(x) & BigInt(y)),
  '|': (x, y) => Number(BigInt(x) | BigInt(y)),
  '^': (x, y) => Number(BigInt(x) ^ BigInt(y)),
  '<<': (x, y) => x * 2 ** y,
  '>>': (x, y) => Math.floor(x / 2 ** y),
};
function arithmetic(op: string, x: number, y: number): number {
  if (y === 0 && ['/', '//', '%'].includes(op)) throw new Raised('ZeroDivisionError', 'division by zero');
  const bits = ['&', '|', '^', '<<', '>>'].includes(op);
  if (bits && !(Number.isSafeInteger(x) && Number.isSafeInteger(y))) throw wrong(op, x, y);
  const result = arithmetics[op]?.(x, y);
  if (result === undefined) throw new Raised('TypeError', `there is no operator ${op}`);
  if (Math.abs(result) > Number.MAX_SAFE_INTEGER && Number.isInteger(result))
    throw new Raised('OverflowError', `${x} ${op} ${y} is too large`);
  return result;
}
export function unary(op: string, v: Value): Value {
  if (op === 'not') return !truth(v);
  const x = number(v);
  if (x === undefined) throw new Raised('TypeError', `${op} is not possible on ${typeName(v)}`);
  return op === '-' ? -x : op === '~' ? -x - 1 : x;
}
export function holds(op: string, a: Value, b: Value): boolean {
  if (op === '==') return equal(a, b);
  if (op === '!=') return !equal(a, b);
  if (op === 'is') return a === b;
  if (op === 'is not') return a !== b;
  if (op === 'in') return contains(b, a);
  if (op === 'not in') return !contains(b, a);
  const c = compare(a, b);
  return op === '<' ? c < 0 : op === '<=' ? c <= 0 : op === '>' ? c > 0 : c >= 0;
}
function contains(of: Value, item: Value): boolean {
  if (typeof of === 'string') {
    if (typeof item !== 'string')
      throw new Raised('TypeError', `only a string can be in a string, not ${typeName(item)}`);
    return of.includes(item);
  }
  if (of instanceof Dict) return of.entries.has(keyOf(item));
  return itemsOf(of).some((i) => equal(i, item));
}
/** What stands for a key in a dict. */
export function keyOf(v: Value): string {
  if (Array.isArray(v) || v instanceof Dict) throw new Raised('TypeError', `${typeName(v)} cannot be a key`);
  return repr(v);
}
function position(v: Value, length: number): number {
  if (typeof v !== 'number' || !Number.isInteger(v))
    throw new Raised('TypeError', `an index must be an integer, not ${typeName(v)}`);
  const at = v < 0 ? v + length : v;
  if (at < 0 || at >= length) throw new Raised('IndexError', `index ${v} is out of range`);
  return at;
}
export function getIndex(of: Value, at: Value): Value {
  if (of instanceof Dict) {
    const found = of.entries.get(keyOf(at));
    if (!found) throw new Raised('KeyError', repr(at));
    return found[1];
  }
  if (typeof of === 'string') return of[position(at, of.length)] as string;
  const items = itemsOf(of);
  return items[position(at, items.length)] as Value;
}
export function setIndex(of: Value, at: Value, value: Value): void {
  if (of instanceof Dict) of.entries.set(keyOf(at), [at, value]);
  else if (Array.isArray(of)) of[position(at, of.length)] = value;
  else throw new Raised('TypeError', `items of ${typeName(of)} cannot be assigned`);
}
export function removeIndex(of: Value, at: Value): void {
  if (of instanceof Dict) {
    if (!of.entries.delete(keyOf(at))) throw new Raised('KeyError', repr(at));
  } else if (Array.isArray(of)) of.splice(position(at, of.length), 1);
  else throw new Raised('TypeError', `items of ${typeName(of)} cannot be removed`);
}
export function slice(of: Value, from: Value, to: Value): Value {
  const limit = (v: Value): number | undefined => {
    if (v === null) return undefined;
    if (typeof v !== 'number') throw new Raised('TypeError', `an index must be an integer, not ${typeName(v)}`);
    return v;
  };
  if (typeof of === 'string') return of.slice(limit(from), limit(to));
  const items = itemsOf(of).slice(limit(from), limit(to)) as List;
  return of instanceof Tuple ? new Tuple(items) : items;
}
