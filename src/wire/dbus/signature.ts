/** D-Bus type signatures, checked and taken apart. */
import { FormatError } from '../format-error.ts';

/** A complete type: its letter (`(` and `{` for structs and dictionary entries), what it holds, where its values begin. */
export interface DbusType {
  readonly code: string;
  /** An array's element; a struct's fields; a dictionary entry's key and value. */
  readonly children: readonly DbusType[];
  /** Bytes that a value begins at a multiple of. */
  readonly alignment: 1 | 2 | 4 | 8;
  /** Bytes of a value, where all values have as many; else 0. */
  readonly fixed: 0 | 1 | 2 | 4 | 8;
}
/** What may be nested in each other: arrays, and structs with dictionary entries; in values, variants count too. */
export const deepest = { arrays: 32, structs: 32, all: 64 } as const;
const longest = 255;

const basic = (code: string, alignment: DbusType['alignment'], fixed: DbusType['fixed']): DbusType => ({
  code,
  children: [],
  alignment,
  fixed,
});
const basicTypes: ReadonlyMap<string, DbusType> = new Map(
  [
    basic('y', 1, 1),
    basic('b', 4, 4),
    basic('n', 2, 2),
    basic('q', 2, 2),
    basic('i', 4, 4),
    basic('u', 4, 4),
    basic('x', 8, 8),
    basic('t', 8, 8),
    basic('d', 8, 8),
    basic('h', 4, 4),
    basic('s', 4, 0),
    basic('o', 4, 0),
    basic('g', 1, 0),
    basic('v', 1, 0),
  ].map((type) => [type.code, type]),
);

/** The complete types of a signature. FormatError on what is none. */
export function parseSignature(text: string): readonly DbusType[] {
  if (text.length > longest)
    throw new FormatError(`a signature of ${text.length} bytes; at most ${longest} are allowed`);
  const types: DbusType[] = [];
  for (let at = 0; at < text.length; ) {
    const [type, end] = completeType(text, at, 0, 0);
    types.push(type);
    at = end;
  }
  return types;
}

function completeType(text: string, at: number, arrays: number, structs: number): [DbusType, end: number] {
  const code = text[at] ?? '';
  const simple = basicTypes.get(code);
  if (simple) return [simple, at + 1];
  if (code === 'a') return arrayType(text, at, arrays + 1, structs);
  if (code === '(') return structType(text, at, arrays, structs + 1);
  throw new FormatError(
    code === '' ? `signature ${text}: it ends too early` : `signature ${text}: no type ${code} here`,
  );
}
function arrayType(text: string, at: number, arrays: number, structs: number): [DbusType, number] {
  if (arrays > deepest.arrays)
    throw new FormatError(`signature ${text}: arrays nested more than ${deepest.arrays} deep`);
  const [element, end] =
    text[at + 1] === '{' ? entryType(text, at + 1, arrays, structs + 1) : completeType(text, at + 1, arrays, structs);
  return [{ code: 'a', children: [element], alignment: 4, fixed: 0 }, end];
}
function structType(text: string, at: number, arrays: number, structs: number): [DbusType, number] {
  if (structs > deepest.structs)
    throw new FormatError(`signature ${text}: structs nested more than ${deepest.structs} deep`);
  const children: DbusType[] = [];
  let next = at + 1;
  while (text[next] !== ')') {
    const [type, end] = completeType(text, next, arrays, structs);
    children.push(type);
    next = end;
  }
  if (children.length === 0) throw new FormatError(`signature ${text}: a struct without fields`);
  return [{ code: '(', children, alignment: 8, fixed: 0 }, next + 1];
}
function entryType(text: string, at: number, arrays: number, structs: number): [DbusType, number] {
  if (structs > deepest.structs)
    throw new FormatError(`signature ${text}: structs nested more than ${deepest.structs} deep`);
  const key = basicTypes.get(text[at + 1] ?? '');
  if (!key || key.code === 'v') throw new FormatError(`signature ${text}: a dictionary's key has a basic type`);
  const [value, end] = completeType(text, at + 2, arrays, structs);
  if (text[end] !== '}') throw new FormatError(`signature ${text}: a dictionary entry has one key and one value`);
  return [{ code: '{', children: [key, value], alignment: 8, fixed: 0 }, end + 1];
}
