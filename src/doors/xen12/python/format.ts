/** `%` of strings: `"%s-%03d" % (a, b)`. */
import { bounded, Dict, Raised, repr, str, Tuple, typeName, type Value } from './values.ts';

const widest = 1000;

export function formatText(pattern: string, given: Value): string {
  const values = given instanceof Tuple ? given.items : [given];
  let next = 0;
  const take = (): Value => {
    const value = values[next++];
    if (value === undefined) throw new Raised('TypeError', 'not enough arguments for format string');
    return value;
  };
  const text = pattern.replace(
    /%(\(([^)]*)\))?([-+ 0#]*)(\*|\d+)?(?:\.(\*|\d+))?[lh]*(.)?/gs,
    (whole, ...m: string[]) => {
      const [, key, flags = '', width, precision, kind = ''] = m;
      if (kind === '%') return '%';
      if (!'sridouxXcfeg'.includes(kind) || kind === '') throw new Raised('ValueError', `bad format ${repr(whole)}`);
      const wide = width === '*' ? Number(take()) : Number(width ?? 0);
      const exact = precision === '*' ? Number(take()) : precision === undefined ? undefined : Number(precision);
      if (wide > widest || (exact ?? 0) > 100) throw new Raised('ValueError', `${repr(whole)} is too wide`);
      const value = key === undefined ? take() : lookUp(given, key);
      return pad(shown(value, kind, flags, exact), wide, flags, kind);
    },
  );
  if (next < values.length && !(given instanceof Dict)) {
    throw new Raised('TypeError', 'not all arguments converted during string formatting');
  }
  return bounded(text);
}
function lookUp(given: Value, key: string): Value {
  if (!(given instanceof Dict)) throw new Raised('TypeError', 'format requires a mapping');
  const found = given.entries.get(repr(key));
  if (!found) throw new Raised('KeyError', repr(key));
  return found[1];
}
function shown(value: Value, kind: string, flags: string, exact: number | undefined): string {
  if (kind === 's' || kind === 'r') {
    const text = kind === 's' ? str(value) : repr(value);
    return exact === undefined ? text : text.slice(0, exact);
  }
  if (kind === 'c') return typeof value === 'number' ? String.fromCharCode(value) : str(value);
  const number = typeof value === 'boolean' ? Number(value) : value;
  if (typeof number !== 'number') throw new Raised('TypeError', `%${kind} needs a number, not ${typeName(value)}`);
  const size = Math.abs(number);
  const sign = number < 0 ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  if ('feg'.includes(kind)) {
    const digits = exact ?? 6;
    const text =
      kind === 'f'
        ? size.toFixed(digits)
        : kind === 'e'
          ? size.toExponential(digits)
          : String(Number(size.toPrecision(digits || 1)));
    return sign + text;
  }
  const base = kind === 'o' ? 8 : kind === 'x' || kind === 'X' ? 16 : 10;
  const prefix = flags.includes('#') ? ({ o: '0', x: '0x', X: '0X' }[kind] ?? '') : '';
  const digits = Math.trunc(size)
    .toString(base)
    .padStart(exact ?? 0, '0');
  return sign + prefix + (kind === 'X' ? digits.toUpperCase() : digits);
}
function pad(text: string, wide: number, flags: string, kind: string): string {
  if (flags.includes('-')) return text.padEnd(wide);
  if (!flags.includes('0') || 'src'.includes(kind)) return text.padStart(wide);
  const [sign = ''] = /^[-+ ]/.exec(text) ?? [];
  return sign + text.slice(sign.length).padStart(wide - sign.length, '0');
}
