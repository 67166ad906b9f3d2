/**
 * The expressions of `get_all_records_where`: `field "name__label" = "web" and not (field "is_a_template" = "true")`.
 *
 *   or := and {"or" and}      and := not {"and" not}      not := "not" not | "(" or ")" | "true" | "false" | term "=" term
 *   term := "field" string | string
 */
import type { Class } from '../datamodel/dsl.ts';
import { fail } from '../datamodel/errors.ts';

type Rec = Readonly<Record<string, unknown>>;
export type Predicate = (record: Rec) => boolean;

const token = /\s*(?:([A-Za-z_]+)|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([()=]))/y;
const maxDepth = 100;

/** Makes a test of records. INVALID_VALUE [expr, …] says where it went wrong. */
export function parseFilter(cls: Class, expr: string): Predicate {
  return new Parser(cls, expr).all();
}

/** A value as expressions compare it. */
export function filterText(value: unknown): string {
  if (Array.isArray(value)) return `(${value.map(filterText).join(' ')})`;
  if (typeof value === 'object' && value !== null)
    return `(${Object.entries(value)
      .map(([k, v]) => `(${k} ${filterText(v)})`)
      .join(' ')})`;
  return String(value);
}

class Parser {
  readonly #cls: Class;
  readonly #expr: string;
  #at = 0;
  #depth = 0;
  #word = '';
  #text: string | undefined;

  constructor(cls: Class, expr: string) {
    this.#cls = cls;
    this.#expr = expr;
    this.#next();
  }
  all(): Predicate {
    const test = this.#or();
    if (this.#word !== '' || this.#text !== undefined) throw this.#error('"and", "or" or the end');
    return test;
  }
  #error(expected: string) {
    const found = this.#text !== undefined ? `"${this.#text}"` : this.#word || 'the end';
    return fail('INVALID_VALUE', { field: 'expr', value: `expected ${expected} before ${this.#at}, found ${found}` });
  }
  /** Reads a token: `#word` for words and signs, `#text` for quoted text; both empty at the end. */
  #next(): void {
    this.#word = '';
    this.#text = undefined;
    if (this.#expr.slice(this.#at).trim() === '') return;
    token.lastIndex = this.#at;
    const m = token.exec(this.#expr);
    if (!m)
      throw fail('INVALID_VALUE', {
        field: 'expr',
        value: `cannot be read at ${this.#at}: ${this.#expr.slice(this.#at, this.#at + 20)}`,
      });
    this.#at = token.lastIndex;
    this.#word = m[1] ?? m[4] ?? '';
    this.#text = (m[2] ?? m[3])?.replace(/\\(.)/g, '$1');
  }
  #take(word: string): boolean {
    if (this.#text !== undefined || this.#word !== word) return false;
    this.#next();
    return true;
  }
  #or(): Predicate {
    const tests = [this.#and()];
    while (this.#take('or')) tests.push(this.#and());
    return tests.length === 1 ? (tests[0] as Predicate) : (r) => tests.some((t) => t(r));
  }
  #and(): Predicate {
    const tests = [this.#not()];
    while (this.#take('and')) tests.push(this.#not());
    return tests.length === 1 ? (tests[0] as Predicate) : (r) => tests.every((t) => t(r));
  }
  #not(): Predicate {
    if (++this.#depth > maxDepth) throw this.#error(`at most ${maxDepth} levels`);
    try {
      if (this.#take('not')) {
        const test = this.#not();
        return (r) => !test(r);
      }
      if (this.#take('(')) {
        const test = this.#or();
        if (!this.#take(')')) throw this.#error('")"');
        return test;
      }
      if (this.#take('true')) return () => true;
      if (this.#take('false')) return () => false;
      return this.#comparison();
    } finally {
      this.#depth--;
    }
  }
  #comparison(): Predicate {
    const left = this.#term();
    if (!this.#take('=')) throw this.#error('"="');
    const right = this.#term();
    return (r) => left(r) === right(r);
  }
  #term(): (r: Rec) => string {
    const isField = this.#take('field');
    const text = this.#text;
    if (text === undefined)
      throw this.#error(isField ? 'the quoted name of a field' : 'true, false, field or quoted text');
    this.#next();
    if (!isField) return () => text;
    const name = [text, text.replaceAll('__', '_')].find((n) => Object.hasOwn(this.#cls.fields, n));
    if (!name || this.#cls.fields[name]?.internal)
      throw fail('INVALID_VALUE', { field: 'expr', value: `a ${this.#cls.name} has no field "${text}"` });
    return (r) => filterText(r[name]);
  }
}
