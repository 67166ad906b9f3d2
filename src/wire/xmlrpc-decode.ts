/**
 * XML-RPC in: a scanner for the little of XML that XML-RPC needs. Declarations of types and entities are refused, so that
 * no document grows while it is read; depth is bounded; sizes are the caller's business.
 */

/** A value as a wire carries it, before a declared type gives it meaning. Untyped XML values are strings. */
export type Wire = string | number | boolean | null | readonly Wire[] | { readonly [key: string]: Wire };

/** The text is not XML-RPC. The message says what was expected, and where (offset in characters). */
export class XmlError extends Error {
  override readonly name = 'XmlError';
}
/** How deep arrays and structs may be inside each other. */
export const maxDepth = 64;

export interface XmlCall {
  readonly method: string;
  readonly params: readonly Wire[];
}

/** Reads a `methodCall`. Throws `XmlError`. */
export function parseXmlCall(text: string): XmlCall {
  const s = new Scanner(text);
  s.prologue();
  s.open('methodCall');
  s.open('methodName');
  const method = s.text().trim();
  s.close('methodName');
  if (method === '') throw s.error('a method name');
  const params = s.params();
  s.close('methodCall');
  s.end();
  return { method, params };
}

/** Reads a `methodResponse` and answers its value. A `fault` is answered as its struct. Throws `XmlError`. */
export function parseXmlResponse(text: string): Wire {
  const s = new Scanner(text);
  s.prologue();
  s.open('methodResponse');
  let value: Wire;
  if (s.tryOpen('fault')) {
    value = s.value();
    s.close('fault');
  } else {
    value = s.params()[0] ?? '';
  }
  s.close('methodResponse');
  s.end();
  return value;
}

/** Reads one `<value>…</value>`, such as the result of a task. Throws `XmlError`. */
export function parseXmlValue(text: string): Wire {
  const s = new Scanner(text);
  s.prologue();
  const value = s.value();
  s.end();
  return value;
}

/** Every alternative starts differently, so that no text makes it look twice: hostile input costs no more than other. */
const tag = /<(\/?)([A-Za-z_][\w.-]*)(?:(?=\s)(?:[^<>"'/]|"[^"<]*"|'[^'<]*')*)?(\/?)>/y;
const forbidden = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/;
const blank = /[ \t\r\n]*/y;
const entity = /&(?:#([0-9]{1,7})|#x([0-9a-fA-F]{1,6})|([a-z]{1,8}));|&/g;
const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

class Scanner {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  /** The tag that `peek` read. */
  #closing = false;
  #name = '';
  #empty = false;
  #after = -1;

  constructor(text: string) {
    this.#text = text;
    const bad = forbidden.exec(text);
    if (bad) throw new XmlError(`a character that XML forbids (code ${bad[0].charCodeAt(0)}) at ${bad.index}`);
  }
  error(expected: string): XmlError {
    const found = this.#text.slice(this.#at, this.#at + 40);
    return new XmlError(`expected ${expected} at ${this.#at}, found ${found ? JSON.stringify(found) : 'the end'}`);
  }
  prologue(): void {
    if (this.#text.charCodeAt(0) === 0xfeff) this.#at = 1;
    this.#skip();
  }
  end(): void {
    this.#skip();
    if (this.#at < this.#text.length) throw this.error('the end');
  }
  open(name: string): void {
    if (!this.tryOpen(name)) throw this.error(`<${name}>`);
  }
  tryOpen(name: string): boolean {
    this.#peek();
    if (this.#closing || this.#name !== name || this.#empty) return false;
    this.#at = this.#after;
    return true;
  }
  close(name: string): void {
    this.#peek();
    if (!this.#closing || this.#name !== name) throw this.error(`</${name}>`);
    this.#at = this.#after;
  }
  #tryEmpty(name: string): boolean {
    this.#peek();
    if (this.#closing || this.#name !== name || !this.#empty) return false;
    this.#at = this.#after;
    return true;
  }
  /** Skips blanks, comments and processing instructions. */
  #skip(): void {
    for (;;) {
      blank.lastIndex = this.#at;
      blank.exec(this.#text);
      this.#at = blank.lastIndex;
      if (!this.#skipRemark()) return;
    }
  }
  /** At a comment or a processing instruction: goes past it. A declaration is refused. */
  #skipRemark(): boolean {
    const text = this.#text;
    if (text.startsWith('<!--', this.#at)) this.#past('-->', 4);
    else if (text.startsWith('<?', this.#at)) this.#past('?>', 2);
    else if (text.startsWith('<!', this.#at) && !text.startsWith('<![CDATA[', this.#at))
      throw new XmlError(`declarations (DOCTYPE, ENTITY) are refused, at ${this.#at}`);
    else return false;
    return true;
  }
  #past(mark: string, from: number): void {
    const end = this.#text.indexOf(mark, this.#at + from);
    if (end < 0) throw this.error(mark);
    this.#at = end + mark.length;
  }
  /** Reads the next tag into fields without going past it. */
  #peek(): void {
    this.#skip();
    tag.lastIndex = this.#at;
    const m = tag.exec(this.#text);
    if (!m) throw this.error('a tag');
    this.#closing = m[1] === '/';
    this.#name = m[2] as string;
    this.#empty = m[3] === '/';
    if (this.#closing && this.#empty) throw this.error('a tag');
    this.#after = tag.lastIndex;
  }
  /** Character data up to the next tag. */
  text(): string {
    let out = '';
    for (;;) {
      const next = this.#text.indexOf('<', this.#at);
      if (next < 0) throw this.error('a tag after the text');
      if (next > this.#at) out += unescapeXml(this.#text.slice(this.#at, next), this.#at);
      this.#at = next;
      if (this.#text.startsWith('<![CDATA[', next)) {
        const end = this.#text.indexOf(']]>', next + 9);
        if (end < 0) throw this.error(']]>');
        out += newlines(this.#text.slice(next + 9, end));
        this.#at = end + 3;
      } else if (!this.#skipRemark()) return out;
    }
  }
  /** `<params>…</params>`, which may be empty or absent. */
  params(): Wire[] {
    const params: Wire[] = [];
    if (this.#tryEmpty('params') || !this.tryOpen('params')) return params;
    while (this.tryOpen('param')) {
      params.push(this.value());
      this.close('param');
    }
    this.close('params');
    return params;
  }
  value(): Wire {
    if (this.#tryEmpty('value')) return '';
    this.open('value');
    const text = this.text();
    this.#peek();
    if (this.#closing) {
      this.close('value');
      return text;
    }
    if (text.trim() !== '') throw this.error('</value> after text');
    const value = this.#typed();
    this.close('value');
    return value;
  }
  #typed(): Wire {
    const name = this.#name;
    this.#at = this.#after;
    if (this.#empty) {
      const empty = emptyValue(name);
      return empty === undefined ? this.#unknown(name) : empty;
    }
    if (name === 'struct') return this.#nested(() => this.#struct());
    if (name === 'array') return this.#nested(() => this.#array());
    const read = Object.hasOwn(scalars, name) ? scalars[name] : undefined;
    if (!read) return this.#unknown(name);
    const text = this.text();
    const value = read(text);
    if (value === undefined) throw new XmlError(`<${name}> holds ${JSON.stringify(text.slice(0, 40))}, at ${this.#at}`);
    this.close(name);
    return value;
  }
  #unknown(name: string): never {
    throw new XmlError(`<${name}> is no type of XML-RPC, at ${this.#at}`);
  }
  #nested<T>(read: () => T): T {
    if (++this.#depth > maxDepth) throw new XmlError(`values are nested more than ${maxDepth} deep, at ${this.#at}`);
    const value = read();
    this.#depth--;
    return value;
  }
  #struct(): Wire {
    const out: Record<string, Wire> = {};
    while (this.tryOpen('member')) {
      let name = '';
      if (!this.#tryEmpty('name')) {
        this.open('name');
        name = this.text();
        this.close('name');
      }
      put(out, name, this.value());
      this.close('member');
    }
    this.close('struct');
    return out;
  }
  #array(): Wire {
    const out: Wire[] = [];
    if (!this.#tryEmpty('data')) {
      this.open('data');
      for (;;) {
        this.#peek();
        if (this.#closing) break;
        out.push(this.value());
      }
      this.close('data');
    }
    this.close('array');
    return out;
  }
}

/** `out[key] = value` for keys that a client chose: `__proto__` is a key like any other. */
export function put<T>(out: Record<string, T>, key: string, value: T): void {
  if (key === '__proto__')
    Object.defineProperty(out, key, { value, writable: true, enumerable: true, configurable: true });
  else out[key] = value;
}

const integer = (text: string): Wire | undefined => {
  const digits = text.trim();
  if (!/^[+-]?\d{1,20}$/.test(digits)) return undefined;
  const n = Number(digits);
  // beyond 2^53 it stays text: whoever needs the number refuses it by name
  return Number.isSafeInteger(n) ? n : digits;
};
const truths: Readonly<Record<string, boolean>> = { '1': true, '0': false, true: true, false: false };
const scalars: Readonly<Record<string, (text: string) => Wire | undefined>> = {
  string: (text) => text,
  int: integer,
  i4: integer,
  i8: integer,
  boolean: (text) => truths[text.trim()],
  double: (text) => (/^[-+]?(\d+(?:\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?$/.test(text.trim()) ? Number(text) : undefined),
  'dateTime.iso8601': (text) => text.trim(),
  base64: (text) => decodeBase64(text),
  nil: () => null,
};
function emptyValue(name: string): Wire | undefined {
  if (name === 'string' || name === 'base64') return '';
  if (name === 'nil') return null;
  if (name === 'struct') return {};
  if (name === 'array') return [];
  return undefined;
}
/** No parameter of the API holds bytes: base64 is taken when it holds text. */
function decodeBase64(text: string): string | undefined {
  const packed = text.replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(packed)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(packed, 'base64'));
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

const newlines = (text: string): string => (text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text);
function unescapeXml(raw: string, at: number): string {
  const text = newlines(raw);
  if (!text.includes('&')) return text;
  return text.replace(entity, (whole, dec?: string, hex?: string, name?: string) => {
    if (name !== undefined && Object.hasOwn(named, name)) return named[name] as string;
    const code = dec !== undefined ? Number(dec) : hex !== undefined ? Number.parseInt(hex, 16) : -1;
    const fine = code === 9 || code === 10 || code === 13 || (code >= 32 && code <= 0x10ffff);
    if (!fine || (code >= 0xd800 && code < 0xe000) || code === 0xfffe || code === 0xffff)
      throw new XmlError(`unknown reference ${whole} in the text at ${at}`);
    return String.fromCodePoint(code);
  });
}
