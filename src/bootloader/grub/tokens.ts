/** The words of GRUB's script language. Pure; a script is at most as long as the reader lets through. */
import { nothing } from '../menu.ts';

/** A piece of a word: text, or a variable to be put in. Quoted ones are never split at spaces. */
export type Piece =
  | { readonly text: string; readonly quoted: boolean }
  | { readonly variable: string; readonly quoted: boolean };
export type Token =
  | { readonly word: readonly Piece[]; readonly line: number }
  /** A newline or `;`. */
  | { readonly end: true; readonly line: number };

const variable = /\$(?:\{([^}\s]{1,100})\}|([A-Za-z_]\w{0,99}|\d|[?#@*]))/y;
const space = /[^\S\n]+/y;
/** A large menu has ten thousand. */
const most = 150_000;
const plain = /[^\s;'"\\$]+/y;

export function tokens(script: string): readonly Token[] {
  const found: Token[] = [];
  let line = 1;
  let pieces: Piece[] = [];
  const finish = () => {
    if (pieces.length > 0) found.push({ word: pieces, line });
    pieces = [];
  };
  const at = (pattern: RegExp, i: number) => {
    pattern.lastIndex = i;
    return pattern.exec(script);
  };
  for (let i = 0, steps = 0; i < script.length; steps++) {
    if (steps > most) throw nothing(`line ${line}: the script has more than ${most} words`);
    const c = script[i] ?? '';
    if (c === '\n' || c === ';') {
      finish();
      found.push({ end: true, line });
      if (c === '\n') line++;
      i++;
    } else if (/\s/.test(c)) {
      finish();
      i += at(space, i)?.[0].length ?? 1;
    } else if (c === '#' && pieces.length === 0) {
      const end = script.indexOf('\n', i);
      i = end < 0 ? script.length : end;
    } else if (c === "'") {
      const end = script.indexOf("'", i + 1);
      if (end < 0) throw nothing(`line ${line}: a ' is not closed`);
      const text = script.slice(i + 1, end);
      pieces.push({ text, quoted: true });
      line += lines(text);
      i = end + 1;
    } else if (c === '"') {
      const inner = quoted(script, i + 1, line);
      // An empty one is a word too.
      pieces.push(...(inner.pieces.length > 0 ? inner.pieces : [{ text: '', quoted: true }]));
      line += lines(script.slice(i, inner.end));
      i = inner.end;
    } else if (c === '\\') {
      const next = script[i + 1] ?? '';
      if (next === '\n') line++;
      else pieces.push({ text: next, quoted: true });
      i += 2;
    } else if (c === '$') {
      const match = at(variable, i);
      pieces.push(match ? { variable: match[1] ?? match[2] ?? '', quoted: false } : { text: '$', quoted: false });
      i += match ? match[0].length : 1;
    } else {
      const [text = c] = at(plain, i) ?? [];
      pieces.push({ text, quoted: false });
      i += text.length;
    }
  }
  finish();
  return found;
}

/** What stands between double quotes, from `start`; `end` is behind the closing one. */
function quoted(script: string, start: number, line: number): { pieces: Piece[]; end: number } {
  const pieces: Piece[] = [];
  let text = '';
  const flush = () => {
    if (text !== '') pieces.push({ text, quoted: true });
    text = '';
  };
  for (let i = start; i < script.length; ) {
    const c = script[i] ?? '';
    if (c === '"') {
      flush();
      return { pieces, end: i + 1 };
    }
    if (c === '\\') {
      const next = script[i + 1] ?? '';
      text += next === '\n' ? '' : '"$\\'.includes(next) ? next : `\\${next}`;
      i += 2;
      continue;
    }
    variable.lastIndex = i;
    const match = c === '$' ? variable.exec(script) : null;
    if (match) {
      flush();
      pieces.push({ variable: match[1] ?? match[2] ?? '', quoted: true });
      i += match[0].length;
    } else {
      text += c;
      i++;
    }
  }
  throw nothing(`line ${line}: a " is not closed`);
}
const lines = (text: string): number => text.split('\n').length - 1;

/** The text of a word that is plain and unquoted, such as `if` or `{`; undefined for others. */
export function keyword(token: Token | undefined): string | undefined {
  if (!token || !('word' in token) || token.word.length !== 1) return undefined;
  const [piece] = token.word;
  return piece && 'text' in piece && !piece.quoted ? piece.text : undefined;
}
