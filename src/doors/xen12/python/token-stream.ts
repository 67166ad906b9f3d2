/** Tokens with a place in them. */
import type { Place } from './syntax.ts';
import { SettingsError, type Token } from './tokens.ts';

export class TokenStream {
  readonly #tokens: readonly Token[];
  #at = 0;
  /** How many expressions stand around this one. */
  depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }
  get peek(): Token {
    return this.#tokens[this.#at] as Token;
  }
  get after(): Token | undefined {
    return this.#tokens[this.#at + 1];
  }
  next(): Token {
    const token = this.peek;
    if (token.kind !== 'end') this.#at++;
    return token;
  }
  get place(): Place {
    const { line, column } = this.peek;
    return { line, column };
  }
  /** Passes the next token; where it stands. */
  placeOfNext(): Place {
    const { line, column } = this.next();
    return { line, column };
  }
  /** Passes the operator if it is next. */
  take(op: string): boolean {
    if (this.peek.kind !== 'op' || this.peek.text !== op) return false;
    this.next();
    return true;
  }
  takeKind(kind: Token['kind']): boolean {
    if (this.peek.kind !== kind) return false;
    this.next();
    return true;
  }
  takeName(name: string): boolean {
    if (this.peek.kind !== 'name' || this.peek.text !== name) return false;
    this.next();
    return true;
  }
  expect(op: string): void {
    if (!this.take(op)) throw this.mistake(`"${op}" is expected, not ${this.shown}`);
  }
  name(): string {
    if (this.peek.kind !== 'name') throw this.mistake(`a name is expected, not ${this.shown}`);
    return this.next().text;
  }
  /** The next token, for people. */
  get shown(): string {
    const { kind, text } = this.peek;
    if (kind === 'end') return 'the end of the file';
    if (kind === 'newline') return 'the end of the line';
    return kind === 'indent' || kind === 'dedent' ? 'another indentation' : JSON.stringify(text);
  }
  mistake(why: string, at: Place = this.peek): SettingsError {
    return new SettingsError(at, why);
  }
}
