/** `[ -f $prefix/grubenv -a "$x" = y ]`: GRUB's `test`. */
import { isThere } from '../syslinux.ts';
import type { Machine } from './commands.ts';

const mostWords = 200;

export async function test(m: Machine, words: readonly string[]): Promise<boolean> {
  if (words.length > mostWords) return false;
  const at = { i: 0 };
  const value = await either(m, words, at);
  // Words that are left over make it false, as a mistake does.
  return value && at.i >= words.length;
}
type At = { i: number };

async function either(m: Machine, words: readonly string[], at: At): Promise<boolean> {
  let value = await both(m, words, at);
  while (words[at.i] === '-o') {
    at.i++;
    const other = await both(m, words, at);
    value ||= other;
  }
  return value;
}
async function both(m: Machine, words: readonly string[], at: At): Promise<boolean> {
  let value = await single(m, words, at);
  while (words[at.i] === '-a') {
    at.i++;
    const other = await single(m, words, at);
    value &&= other;
  }
  return value;
}
async function single(m: Machine, words: readonly string[], at: At): Promise<boolean> {
  const word = words[at.i];
  if (word === undefined) return false;
  const [, next] = words.slice(at.i);
  const compare = binary[words[at.i + 1] ?? ''];
  if (compare && words[at.i + 2] !== undefined) {
    at.i += 3;
    return compare(word, words[at.i - 1] ?? '');
  }
  if (word === '!') {
    at.i++;
    return !(await single(m, words, at));
  }
  if (word === '(') {
    at.i++;
    const value = await either(m, words, at);
    if (words[at.i] === ')') at.i++;
    return value;
  }
  if (/^-[fesdzn]$/.test(word) && next !== undefined) {
    at.i += 2;
    if (word === '-z') return next === '';
    if (word === '-n') return next !== '';
    const file = m.file(next);
    return file !== undefined && (await isThere(m.files, file));
  }
  at.i++;
  return word !== '';
}
const number = (text: string): number => (/^[+-]?\d{1,15}$/.test(text) ? Number(text) : 0);
const binary: Readonly<Record<string, (a: string, b: string) => boolean>> = {
  '=': (a, b) => a === b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
  '-eq': (a, b) => number(a) === number(b),
  '-ne': (a, b) => number(a) !== number(b),
  '-lt': (a, b) => number(a) < number(b),
  '-le': (a, b) => number(a) <= number(b),
  '-gt': (a, b) => number(a) > number(b),
  '-ge': (a, b) => number(a) >= number(b),
};
