/**
 * D-Bus values as text, both ways. In: `true`, `-1`, `0.5`, words as they are; within others strings in quotes, lists and structs as
 * `[v, v]`, dictionaries as `{k : v}`. Out: one element or one `"key" = value` a line.
 */
import { type DbusType, parseSignature } from '../../../wire/dbus/signature.ts';

/** A text that is no value of its type; says where, counted in characters from 1. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}
const ranges: Readonly<Record<string, readonly [bigint, bigint]>> = {
  y: [0n, 0xffn],
  n: [-0x8000n, 0x7fffn],
  q: [0n, 0xffffn],
  i: [-0x80000000n, 0x7fffffffn],
  u: [0n, 0xffffffffn],
  h: [0n, 0xffffffffn],
  x: [-(1n << 63n), (1n << 63n) - 1n],
  t: [0n, (1n << 64n) - 1n],
};

/** The value that `text` is, as dbus-native takes it. ValueError. */
export function parseValue(signature: string, text: string): unknown {
  const [type] = parseSignature(signature);
  if (!type) throw new ValueError('a value without a type');
  if (type.code === 's' || type.code === 'o') return text;
  const scanner = new Scanner(text);
  const value = scanner.value(type);
  scanner.end();
  return value;
}

class Scanner {
  readonly #text: string;
  #at = 0;
  constructor(text: string) {
    this.#text = text;
  }
  value(type: DbusType): unknown {
    this.#blanks();
    if (type.code === 'a' && type.children[0]?.code === '{') return this.#dictionary(type.children[0]);
    if (type.code === 'a') return this.#list(() => type.children[0]);
    if (type.code === '(') return this.#struct(type.children);
    if (type.code === 's' || type.code === 'o') return this.#quoted();
    if (type.code === 'b') return this.#boolean();
    if (type.code === 'd') return Number(this.#token(/-?[0-9]+(\.[0-9]+)?/y, 'a number'));
    const range = ranges[type.code];
    if (!range) return this.#refuse(`values of the type ${type.code} cannot be written`);
    return this.#integer(type.code, range);
  }
  end(): void {
    this.#blanks();
    if (this.#at < this.#text.length) this.#refuse('nothing more is wanted');
  }
  #integer(code: string, [least, most]: readonly [bigint, bigint]): number | bigint {
    const n = BigInt(this.#token(/-?[0-9]+/y, 'a whole number'));
    if (n < least || n > most) this.#refuse(`${n} is not between ${least} and ${most}`);
    return code === 'x' || code === 't' ? n : Number(n);
  }
  #boolean(): boolean {
    return ['true', '1'].includes(this.#token(/true|false|1|0/y, 'true, false, 1 or 0'));
  }
  #quoted(): string {
    const quote = this.#text[this.#at];
    if (quote !== '"' && quote !== "'") return this.#refuse('a string in quotes is wanted');
    let value = '';
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const [c, next] = [this.#text[this.#at], this.#text[this.#at + 1]];
      if (c === quote) {
        this.#at++;
        return value;
      }
      const escaped = c === '\\' && (next === '\\' || next === quote);
      if (escaped) this.#at++;
      value += escaped ? next : c;
    }
    return this.#refuse('the closing quote is missing');
  }
  #list(typeAt: (n: number) => DbusType | undefined): unknown[] {
    this.#expect('[');
    const values: unknown[] = [];
    while (!this.#took(']')) {
      if (values.length > 0) this.#expect(',');
      const type = typeAt(values.length);
      values.push(type ? this.value(type) : this.#refuse('one value too many'));
    }
    return values;
  }
  #struct(types: readonly DbusType[]): unknown[] {
    const values = this.#list((n) => types[n]);
    if (values.length < types.length) this.#refuse(`${types.length} values are wanted, not ${values.length}`);
    return values;
  }
  #dictionary({ children: [key, value] }: DbusType): [unknown, unknown][] {
    this.#expect('{');
    const entries: [unknown, unknown][] = [];
    while (!this.#took('}')) {
      if (entries.length > 0) this.#expect(',');
      const name = this.value(key as DbusType);
      this.#expect(':');
      entries.push([name, this.value(value as DbusType)]);
    }
    return entries;
  }
  #token(pattern: RegExp, wanted: string): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) return this.#refuse(`${wanted} is wanted`);
    this.#at += found.length;
    return found;
  }
  #blanks(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
  }
  #took(character: string): boolean {
    this.#blanks();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }
  #expect(character: string): void {
    if (!this.#took(character)) this.#refuse(`${JSON.stringify(character)} is wanted`);
  }
  #refuse(why: string): never {
    throw new ValueError(`${this.#text}: at character ${this.#at + 1}: ${why}`);
  }
}

/** The lines that show a value as dbus-native gives it (dictionaries as objects, or as pairs where keys are no strings). */
export function valueLines(signature: string, value: unknown): string[] {
  const [type] = parseSignature(signature);
  if (type?.code === 'a' && type.children[0]?.code === '{') return dictionaryLines(entriesOf(value));
  if (type?.code === 'v') return variantLines(value);
  if (Array.isArray(value) || value instanceof Uint8Array) return [...value].map(inline);
  return [inline(value)];
}
/** Keys padded to one width. */
export function dictionaryLines(entries: readonly (readonly [string, unknown])[]): string[] {
  const keys = entries.map(([key]) => JSON.stringify(key));
  const width = Math.max(0, ...keys.map((key) => key.length));
  return ['{', ...entries.map(([, value], i) => `${keys[i]?.padEnd(width)} = ${inline(value)}`), '}'];
}
const entriesOf = (value: unknown): [string, unknown][] =>
  Array.isArray(value) ? value.map(([key, each]) => [String(key), each]) : Object.entries(value as object);
function variantLines(value: unknown): string[] {
  if (Array.isArray(value) || value instanceof Uint8Array) return [...value].map(inline);
  return typeof value === 'object' && value !== null ? dictionaryLines(entriesOf(value)) : [inline(value)];
}
/** Within a line. */
function inline(value: unknown): string {
  if (Array.isArray(value) || value instanceof Uint8Array) return `[${[...value].map(quoted).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  return `{${entriesOf(value)
    .map(([key, each]) => `${quoted(key)} : ${quoted(each)}`)
    .join(', ')}}`;
}
const quoted = (value: unknown): string =>
  typeof value === 'string' ? `'${value.replace(/\\(?=[\\'])|'|\\$/g, '\\$&')}'` : inline(value);
