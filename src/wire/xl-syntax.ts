/** The grammar of xm/xl configuration files: settings with strings, numbers and lists, each with its place in the file. */

/** Line and column count from 1; a column counts UTF-16 units. */
export interface XlPlace {
  readonly line: number;
  readonly column: number;
}
/** A mistake in a file: its message is `FILE:LINE:COLUMN: key: why`. */
export class XlError extends Error {
  override readonly name = 'XlError';
  readonly file: string;
  readonly at: XlPlace;
  /** The setting that is wrong; `syntax` when none has begun. */
  readonly key: string;
  readonly why: string;
  constructor(file: string, at: XlPlace, key: string, why: string) {
    super(`${file}:${at.line}:${at.column}: ${key}: ${why}`);
    this.file = file;
    this.at = at;
    this.key = key;
    this.why = why;
  }
}
export type XlValue = XlString | XlNumber | XlList;
export interface XlString {
  readonly kind: 'string';
  readonly text: string;
  /** Of the quote. */
  readonly at: XlPlace;
  /** Columns of the characters, where escapes make them differ from the quote's column + 1 + index. */
  readonly columns?: readonly number[];
}
export interface XlNumber {
  readonly kind: 'number';
  readonly value: number;
  readonly at: XlPlace;
}
export interface XlList {
  readonly kind: 'list';
  readonly items: readonly XlValue[];
  readonly at: XlPlace;
}
export interface XlSetting {
  readonly key: string;
  readonly value: XlValue;
  readonly at: XlPlace;
}
export interface XlFile {
  readonly file: string;
  /** The last one of each key wins; `+=` has been carried out. In the order of the file. */
  readonly settings: ReadonlyMap<string, XlSetting>;
  /** Whole sentences with their place, such as a key that is there twice. */
  readonly warnings: readonly string[];
}

/** Where the character at `index` of a string stands. */
export function placeIn(s: XlString, index: number): XlPlace {
  return { line: s.at.line, column: s.columns?.[index] ?? s.at.column + 1 + index };
}

/** Longest file; real ones are a thousand times shorter. */
const maxLength = 1 << 20;
const maxDepth = 16;

/** Reads a whole file, or settings given on a command line. Throws `XlError`. */
export function parseXl(file: string, text: string): XlFile {
  if (text.length > maxLength)
    throw new XlError(file, { line: 1, column: 1 }, 'syntax', `longer than ${maxLength} characters`);
  return new Parser(file, text.startsWith('\ufeff') ? text.slice(1) : text).file();
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\', "'": "'", '"': '"', n: '\n', r: '\r', t: '\t' };

class Parser {
  readonly #file: string;
  readonly #text: string;
  #i = 0;
  #line = 1;
  #lineStart = 0;
  #key = 'syntax';

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
  }
  file(): XlFile {
    const settings = new Map<string, XlSetting>();
    const warnings: string[] = [];
    for (;;) {
      this.#key = 'syntax';
      this.#skip(true, true);
      if (this.#i >= this.#text.length) return { file: this.#file, settings, warnings };
      const { append, ...setting } = this.#setting();
      const before = settings.get(setting.key);
      if (append && before) settings.set(setting.key, { ...setting, value: this.#joined(before.value, setting) });
      else {
        if (before) {
          const { line, column } = setting.at;
          const first = `the one in line ${before.at.line} is not used`;
          warnings.push(`${this.#file}:${line}:${column}: ${setting.key}: is there twice; ${first}`);
        }
        settings.set(setting.key, setting);
      }
    }
  }
  #setting(): XlSetting & { append: boolean } {
    const at = this.#place();
    const key = /[a-z][._0-9a-z]*/y;
    key.lastIndex = this.#i;
    const name = key.exec(this.#text)?.[0];
    if (name === undefined) throw this.#unexpected('the name of a setting');
    this.#key = name;
    this.#i += name.length;
    this.#skip(false, false);
    const append = this.#text.startsWith('+=', this.#i);
    if (!append && this.#text[this.#i] !== '=') throw this.#unexpected('"=" or "+="');
    this.#i += append ? 2 : 1;
    this.#skip(false, false);
    const value = this.#value(0);
    this.#skip(false, false);
    const end = this.#text[this.#i];
    if (end !== undefined && end !== '\n' && end !== ';' && end !== '#')
      throw this.#unexpected('the end of the setting: a new line or ";"');
    return { key: name, value, at, append };
  }
  #joined(before: XlValue, { value, key, at }: XlSetting): XlValue {
    if (before.kind === 'list') {
      return { ...before, items: [...before.items, ...(value.kind === 'list' ? value.items : [value])] };
    }
    if (before.kind === 'string' && value.kind === 'string') return { ...value, text: before.text + value.text };
    throw new XlError(this.#file, at, key, `a ${value.kind} cannot be added to a ${before.kind}`);
  }
  #value(depth: number): XlValue {
    const c = this.#text[this.#i];
    if (c === "'" || c === '"') return this.#string(c);
    if (c === '[') return this.#list(depth);
    if (c !== undefined && c >= '0' && c <= '9') return this.#number();
    throw this.#unexpected('a value: a string in quotes, a number or a list in [ ]');
  }
  #number(): XlNumber {
    const at = this.#place();
    const pattern = /[0-9][0-9a-fx]*/y;
    pattern.lastIndex = this.#i;
    const text = pattern.exec(this.#text)?.[0] ?? '';
    const value = numberOf(text);
    if (value === undefined) throw this.#error(at, `${text} is no number: decimal, 0x… or octal with a leading 0`);
    if (!Number.isSafeInteger(value)) throw this.#error(at, `${text} is too large`);
    this.#i += text.length;
    return { kind: 'number', value, at };
  }
  #list(depth: number): XlList {
    const at = this.#place();
    if (depth >= maxDepth) throw this.#error(at, `lists are nested more than ${maxDepth} deep`);
    this.#i++;
    const items: XlValue[] = [];
    for (;;) {
      this.#skip(true, false);
      if (this.#text[this.#i] === ']') break;
      if (this.#i >= this.#text.length) throw this.#error(at, 'the list has no end: "]" is missing');
      items.push(this.#value(depth + 1));
      this.#skip(true, false);
      if (this.#text[this.#i] === ',') this.#i++;
      else if (this.#text[this.#i] !== ']') {
        if (this.#i >= this.#text.length) throw this.#error(at, 'the list has no end: "]" is missing');
        throw this.#unexpected('"," or "]"');
      }
    }
    this.#i++;
    return { kind: 'list', items, at };
  }
  #string(quote: string): XlString {
    const at = this.#place();
    const close = this.#text.indexOf(quote, this.#i + 1);
    const plain = close < 0 ? '' : this.#text.slice(this.#i + 1, close);
    if (close >= 0 && !/[\n\\\0]/.test(plain)) {
      this.#i = close + 1;
      return { kind: 'string', text: plain, at };
    }
    return this.#escaped(quote, at);
  }
  #escaped(quote: string, at: XlPlace): XlString {
    const columns: number[] = [];
    let text = '';
    for (this.#i++; ; ) {
      const c = this.#text[this.#i];
      if (c === undefined || c === '\n') throw this.#error(at, `the string has no end: ${quote} is missing`);
      if (c === quote) break;
      if (c === '\0') throw this.#error(this.#place(), 'a NUL character');
      columns.push(this.#place().column);
      text += c === '\\' ? this.#escape() : c;
      if (c !== '\\') this.#i++;
    }
    this.#i++;
    columns.push(this.#place().column - 1);
    return { kind: 'string', text, at, columns };
  }
  #escape(): string {
    const at = this.#place();
    const pattern = /\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|([^\n]))/y;
    pattern.lastIndex = this.#i;
    const [whole = '\\', hex, octal, letter = ''] = pattern.exec(this.#text) ?? [];
    const code = hex !== undefined ? Number.parseInt(hex, 16) : octal !== undefined ? Number.parseInt(octal, 8) : -1;
    if (code === 0 || code > 255) throw this.#error(at, `${whole} is no character that may be in a string`);
    const made = code > 0 ? String.fromCharCode(code) : escapes[letter];
    if (made === undefined) throw this.#error(at, `${whole} is no escape: \\\\ \\' \\" \\n \\r \\t \\xHH \\ooo are`);
    this.#i += whole.length;
    return made;
  }
  /** Over blanks and comments; also over new lines, and over `;`, when asked. */
  #skip(lines: boolean, separators: boolean): void {
    for (; this.#i < this.#text.length; this.#i++) {
      const c = this.#text[this.#i];
      if (c === '\n') {
        if (!lines) return;
        this.#line++;
        this.#lineStart = this.#i + 1;
      } else if (c === '#') {
        const end = this.#text.indexOf('\n', this.#i);
        if (!lines) return;
        this.#i = (end < 0 ? this.#text.length : end) - 1;
      } else if (c !== ' ' && c !== '\t' && c !== '\r' && !(separators && c === ';')) return;
    }
  }
  #place(): XlPlace {
    return { line: this.#line, column: this.#i - this.#lineStart + 1 };
  }
  #error(at: XlPlace, why: string): XlError {
    return new XlError(this.#file, at, this.#key, why);
  }
  #unexpected(expected: string): XlError {
    const c = this.#text[this.#i];
    const found = c === undefined ? 'the file ends' : c === '\n' ? 'the line ends' : `found ${JSON.stringify(c)}`;
    const python = c !== undefined && '+-.():'.includes(c) ? '; Python syntax is not supported, only literals' : '';
    return this.#error(this.#place(), `expected ${expected}, ${found}${python}`);
  }
}

/** As C reads it: decimal, `0x…`, octal with a leading 0; undefined for anything else. */
export function numberOf(text: string): number | undefined {
  if (/^0x[0-9a-f]+$/i.test(text)) return Number.parseInt(text.slice(2), 16);
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  return /^(0|[1-9][0-9]*)$/.test(text) ? Number(text) : undefined;
}
