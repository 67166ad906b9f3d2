/** Walks values in the bytes of a D-Bus message and checks every one of them: nothing is copied unless it is asked for. */
import { isUtf8 } from 'node:buffer';
import { FormatError } from '../format-error.ts';
import { isObjectPath } from './names.ts';
import { type DbusType, deepest, parseSignature } from './signature.ts';

/** Bytes of an array's elements at most. */
const longestArray = 1 << 26;

/** A place in a message. Offsets count from its first byte, which alignment is relative to. */
export class Cursor {
  readonly bytes: Buffer;
  readonly little: boolean;
  at: number;
  /** Nothing from here on may be read. */
  end: number;

  constructor(bytes: Buffer, little: boolean, at: number, end: number) {
    this.bytes = bytes;
    this.little = little;
    this.at = at;
    this.end = end;
  }
  /** Goes to the next multiple of `alignment`, over bytes that must be zero. */
  align(alignment: number): void {
    const to = (this.at + alignment - 1) & -alignment;
    if (to > this.end) throw new FormatError('a value is cut off');
    for (; this.at < to; this.at++) if (this.bytes[this.at] !== 0) throw new FormatError('padding is not zero');
  }
  /** Takes `count` bytes; answers where they begin. */
  take(count: number): number {
    const from = this.at;
    if (count > this.end - from) throw new FormatError('a value is cut off');
    this.at = from + count;
    return from;
  }
  u32(): number {
    this.align(4);
    const at = this.take(4);
    return this.little ? this.bytes.readUInt32LE(at) : this.bytes.readUInt32BE(at);
  }
  /** Types `s` and `o`: a length, UTF-8 without NUL, a NUL. */
  string(): string {
    return this.#text(this.u32());
  }
  /** Type `g`: as a string, with a length of one byte. */
  signature(): string {
    return this.#text(this.bytes[this.take(1)] as number);
  }
  #text(length: number): string {
    const from = this.take(length);
    if (this.bytes[this.take(1)] !== 0) throw new FormatError('a string does not end with NUL');
    const part = this.bytes.subarray(from, from + length);
    if (part.includes(0)) throw new FormatError('a string has a NUL within');
    if (!isUtf8(part)) throw new FormatError('a string is not UTF-8');
    return part.toString('utf8');
  }
}

/** Goes over one value of `type`, checking it. `depth` counts what it is nested in. */
export function checkValue(cursor: Cursor, type: DbusType, depth = 0): void {
  if (depth > deepest.all) throw new FormatError(`values nested more than ${deepest.all} deep`);
  switch (type.fixed > 0 ? 'fixed' : type.code) {
    case 'fixed':
      checkFixed(cursor, type);
      return;
    case 's':
      cursor.string();
      return;
    case 'o': {
      const path = cursor.string();
      if (!isObjectPath(path)) throw new FormatError('a value is no object path');
      return;
    }
    case 'g':
      parseSignature(cursor.signature());
      return;
    case 'v':
      checkValue(cursor, variantType(cursor), depth + 1);
      return;
    case 'a':
      checkArray(cursor, type.children[0] as DbusType, depth + 1);
      return;
    default:
      cursor.align(8);
      for (const child of type.children) checkValue(cursor, child, depth + 1);
  }
}
/** The type that a variant's own signature has: exactly one. */
export function variantType(cursor: Cursor): DbusType {
  const types = parseSignature(cursor.signature());
  if (types.length !== 1) throw new FormatError('a variant does not have one type');
  return types[0] as DbusType;
}
function checkFixed(cursor: Cursor, type: DbusType): void {
  cursor.align(type.alignment);
  const at = cursor.take(type.fixed);
  if (type.code !== 'b') return;
  const value = cursor.little ? cursor.bytes.readUInt32LE(at) : cursor.bytes.readUInt32BE(at);
  if (value > 1) throw new FormatError(`a boolean is ${value}`);
}
function checkArray(cursor: Cursor, element: DbusType, depth: number): void {
  const length = cursor.u32();
  if (length > longestArray) throw new FormatError(`an array of ${length} bytes; at most ${longestArray} are allowed`);
  cursor.align(element.alignment);
  const end = cursor.take(length) + length;
  if (element.fixed > 0 && element.code !== 'b') {
    if (length % element.fixed !== 0) throw new FormatError('an array ends within an element');
    return;
  }
  const outer = cursor.end;
  cursor.at = end - length;
  cursor.end = end;
  while (cursor.at < end) checkValue(cursor, element, depth);
  cursor.end = outer;
}

/** Checks that `cursor` has values of exactly these types, and nothing after them. */
export function checkBody(cursor: Cursor, signature: string): void {
  for (const type of parseSignature(signature)) checkValue(cursor, type);
  if (cursor.at !== cursor.end)
    throw new FormatError(`the body has ${cursor.end - cursor.at} bytes more than its signature says`);
}
