/**
 * Lines of a settings file as tokens. The language is the part of Python 2 that such files are written in; indentation becomes
 * `indent` and `dedent`, a logical line ends with `newline`.
 */
export type Kind = 'name' | 'number' | 'string' | 'op' | 'newline' | 'indent' | 'dedent' | 'end';
export interface Token {
  readonly kind: Kind;
  /** As written; of a string its value. */
  readonly text: string;
  readonly line: number;
  readonly column: number;
}
/** A mistake in a settings file, or what the file itself refuses. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly line: number;
  readonly column: number;
  constructor(at: { readonly line: number; readonly column: number }, message: string) {
    super(message);
    this.line = at.line;
    this.column = at.column;
  }
}
const longest = 1024 * 1024;

const operators = [
  ...['**', '//', '<<', '>>', '<=', '>=', '==', '!=', '<>', '+=', '-=', '*=', '/=', '%='],
  ...[
    '+',
    '-',
    '*',
    '/',
    '%',
    '<',
    '>',
    '=',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    ',',
    ':',
    '.',
    ';',
    '`',
    '&',
    '|',
    '^',
    '~',
  ],
];
const opening = new Set(['(', '[', '{']);
const closing = new Set([')', ']', '}']);

export function tokenise(text: string): Token[] {
  return new Tokeniser(text).run();
}

class Tokeniser {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  readonly #indents = [0];
  #at = 0;
  #line = 1;
  #lineStart = 0;
  #depth = 0;

  constructor(text: string) {
    if (text.length > longest)
      throw new SettingsError({ line: 1, column: 1 }, `the file has more than ${longest} characters`);
    this.#text = text.replaceAll('\r\n', '\n');
  }
  run(): Token[] {
    let fresh = true;
    while (this.#at < this.#text.length) {
      if (fresh && this.#depth === 0 && !this.#indentation()) continue;
      fresh = false;
      const c = this.#text[this.#at] as string;
      if (c === '\n') {
        this.#endLine();
        fresh = true;
      } else if (c === ' ' || c === '\t' || c === '\f') this.#at++;
      else if (c === '#') this.#skipComment();
      else if (c === '\\' && this.#text[this.#at + 1] === '\n') this.#nextLine(2);
      else this.#token(c);
    }
    if (this.#depth > 0) throw this.#mistake('a bracket is not closed');
    if (this.#tokens.at(-1)?.kind !== 'newline') this.#push('newline', '');
    while ((this.#indents.pop() ?? 0) > 0) this.#push('dedent', '');
    this.#push('end', '');
    return this.#tokens;
  }
  /** At the beginning of a line; false: the line is empty, and passed. */
  #indentation(): boolean {
    let width = 0;
    let at = this.#at;
    for (; this.#text[at] === ' ' || this.#text[at] === '\t' || this.#text[at] === '\f'; at++) {
      width = this.#text[at] === '\t' ? (Math.floor(width / 8) + 1) * 8 : width + 1;
    }
    this.#at = at;
    if (this.#text[at] === '#') this.#skipComment();
    if (this.#text[this.#at] === '\n') {
      this.#nextLine(1);
      return false;
    }
    if (this.#at >= this.#text.length) return false;
    const now = this.#indents.at(-1) ?? 0;
    if (width > now) {
      this.#indents.push(width);
      this.#push('indent', '');
    }
    while (width < (this.#indents.at(-1) ?? 0)) {
      this.#indents.pop();
      this.#push('dedent', '');
      if (width > (this.#indents.at(-1) ?? 0)) throw this.#mistake('this line is indented like none before it');
    }
    return true;
  }
  #endLine(): void {
    if (this.#depth === 0 && this.#tokens.at(-1)?.kind !== 'newline') this.#push('newline', '');
    this.#nextLine(1);
  }
  #nextLine(length: number): void {
    this.#at += length;
    this.#line++;
    this.#lineStart = this.#at;
  }
  #skipComment(): void {
    while (this.#at < this.#text.length && this.#text[this.#at] !== '\n') this.#at++;
  }
  #token(c: string): void {
    const rest = this.#text.slice(this.#at, this.#at + 256);
    const string = /^([rRuUbB]{0,2})("""|'''|"|')/.exec(rest);
    const name = /^[A-Za-z_]\w*/.exec(rest)?.[0];
    const number = /^(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?)[lL]?/.exec(rest)?.[0];
    if (string) this.#string(string[1] ?? '', string[2] ?? '');
    else if (name) this.#take('name', name);
    else if (number) this.#take('number', number);
    else this.#operator(c, rest);
  }
  #operator(c: string, rest: string): void {
    const operator = operators.find((o) => rest.startsWith(o));
    if (!operator) throw this.#mistake(`nothing begins with ${JSON.stringify(c)}`);
    if (opening.has(operator)) this.#depth++;
    if (closing.has(operator)) this.#depth = Math.max(0, this.#depth - 1);
    this.#take('op', operator);
  }
  #take(kind: Kind, text: string): void {
    this.#push(kind, text);
    this.#at += text.length;
  }
  #string(prefix: string, quote: string): void {
    const start = { line: this.#line, column: this.#at - this.#lineStart + 1 };
    const raw = /r/i.test(prefix);
    const pieces: string[] = [];
    this.#at += prefix.length + quote.length;
    while (!this.#text.startsWith(quote, this.#at)) {
      const c = this.#text[this.#at];
      if (c === undefined || (c === '\n' && quote.length === 1))
        throw new SettingsError(start, 'this string has no end');
      if (c === '\\') pieces.push(this.#escape(raw));
      else {
        pieces.push(c);
        if (c === '\n') this.#nextLine(1);
        else this.#at++;
      }
    }
    this.#at += quote.length;
    this.#tokens.push({ kind: 'string', text: pieces.join(''), ...start });
  }
  #escape(raw: boolean): string {
    const rest = this.#text.slice(this.#at, this.#at + 4);
    const c = rest[1] ?? '';
    if (c === '\n') {
      this.#nextLine(2);
      return raw ? '\\\n' : '';
    }
    const coded = raw ? null : /^\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3}))/.exec(rest);
    if (coded) {
      this.#at += coded[0].length;
      return String.fromCharCode(coded[1] ? Number.parseInt(coded[1], 16) : Number.parseInt(coded[2] ?? '0', 8));
    }
    this.#at += 2;
    return raw ? `\\${c}` : (escapes[c] ?? `\\${c}`);
  }
  #push(kind: Kind, text: string): void {
    this.#tokens.push({ kind, text, line: this.#line, column: this.#at - this.#lineStart + 1 });
  }
  #mistake(why: string): SettingsError {
    return new SettingsError({ line: this.#line, column: this.#at - this.#lineStart + 1 }, why);
  }
}
const escapes: Readonly<Record<string, string>> = {
  ...{ n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' },
  ...{ '\\': '\\', "'": "'", '"': '"' },
};
