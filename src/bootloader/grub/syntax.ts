/** From words to commands: GRUB's script language as a tree. Pure. */
import { nothing } from '../menu.ts';
import { keyword, type Piece, type Token, tokens } from './tokens.ts';

export type Word = readonly Piece[];
export type Node =
  /** `block` follows `menuentry` and `submenu`. */
  | { readonly do: 'command'; readonly words: readonly Word[]; readonly block?: readonly Node[]; readonly line: number }
  | { readonly do: 'if'; readonly arms: readonly Arm[]; readonly otherwise: readonly Node[] }
  | {
      readonly do: 'while';
      readonly until: boolean;
      readonly condition: readonly Node[];
      readonly body: readonly Node[];
    }
  | { readonly do: 'for'; readonly name: string; readonly words: readonly Word[]; readonly body: readonly Node[] }
  | { readonly do: 'function'; readonly name: string; readonly body: readonly Node[] };
export interface Arm {
  readonly condition: readonly Node[];
  readonly body: readonly Node[];
}
const deepest = 40;
const withBlock = new Set(['menuentry', 'submenu', 'hiddenentry']);

/** The commands of a script; refuses one that GRUB could not read either, naming the line. */
export function parse(script: string): readonly Node[] {
  const parser = new Parser(tokens(script));
  return parser.list([]);
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(list: readonly Token[]) {
    this.#tokens = list;
  }
  /** Commands up to one of `ends`, which is not taken; without `ends` up to the end of the script. */
  list(ends: readonly string[]): Node[] {
    if (++this.#depth > deepest) throw nothing(`line ${this.#line}: blocks are nested more than ${deepest} deep`);
    const found: Node[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (!token) {
        if (ends.length > 0) throw nothing(`line ${this.#line}: the script ends where ${ends.join(' or ')} is missing`);
        break;
      }
      const word = keyword(token);
      if (word !== undefined && ends.includes(word)) break;
      if ('end' in token) this.#at++;
      else found.push(this.#command(word));
    }
    this.#depth--;
    return found;
  }
  #command(word: string | undefined): Node {
    switch (word) {
      case 'if':
        return this.#if();
      case 'while':
      case 'until':
        return this.#while(word === 'until');
      case 'for':
        return this.#for();
      case 'function':
        return this.#function();
      default:
        return this.#simple(word);
    }
  }
  #if(): Node {
    const arms: Arm[] = [];
    for (;;) {
      this.#at++;
      const condition = this.list(['then']);
      this.#take('then');
      const body = this.list(['elif', 'else', 'fi']);
      arms.push({ condition, body });
      const next = keyword(this.#tokens[this.#at]);
      if (next === 'elif') continue;
      if (next === 'else') this.#at++;
      const otherwise = next === 'else' ? this.list(['fi']) : [];
      this.#take('fi');
      return { do: 'if', arms, otherwise };
    }
  }
  #while(until: boolean): Node {
    this.#at++;
    const condition = this.list(['do']);
    this.#take('do');
    const body = this.list(['done']);
    this.#take('done');
    return { do: 'while', until, condition, body };
  }
  #for(): Node {
    this.#at++;
    const name = keyword(this.#tokens[this.#at++]) ?? '';
    this.#take('in');
    const words = this.#words();
    this.#skipEnds();
    this.#take('do');
    const body = this.list(['done']);
    this.#take('done');
    return { do: 'for', name, words, body };
  }
  #function(): Node {
    this.#at++;
    const name = keyword(this.#tokens[this.#at++]) ?? '';
    this.#skipEnds();
    return { do: 'function', name, body: this.#block() };
  }
  #simple(word: string | undefined): Node {
    const line = this.#line;
    const first = this.#at;
    const blocked = word !== undefined && withBlock.has(word);
    const words = this.#words(blocked ? '{' : undefined);
    if (blocked && keyword(this.#tokens[this.#at]) === '{') return { do: 'command', words, line, block: this.#block() };
    // A lone bracket, or a word of the language where none belongs.
    if (this.#at === first || word === '{' || word === '}' || word === 'then' || word === 'fi' || word === 'done')
      throw nothing(`line ${line}: ${JSON.stringify(word ?? '')} does not belong here`);
    return { do: 'command', words, line };
  }
  #block(): Node[] {
    this.#take('{');
    const body = this.list(['}']);
    this.#take('}');
    return body;
  }
  #words(stop?: string): Word[] {
    const found: Word[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (!token || 'end' in token) return found;
      if (stop !== undefined && keyword(token) === stop) return found;
      // A block on one line ends where a bracket stands alone.
      if (found.length > 0 && keyword(token) === '}') return found;
      found.push(token.word);
      this.#at++;
    }
  }
  #skipEnds(): void {
    while (this.#tokens[this.#at] && 'end' in this.#tokens[this.#at]!) this.#at++;
  }
  #take(word: string): void {
    if (keyword(this.#tokens[this.#at]) !== word) throw nothing(`line ${this.#line}: ${word} is missing`);
    this.#at++;
  }
  get #line(): number {
    return (this.#tokens[this.#at] ?? this.#tokens.at(-1))?.line ?? 1;
  }
}
