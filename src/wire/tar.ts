/**
 * Tar archives as streams: POSIX ustar, with what GNU tar and pax add for long names and large members. Names that lead out of
 * a folder are refused; members that are neither files nor folders too.
 */
import { FormatError, require } from './format-error.ts';
import type { StreamReader } from './stream-reader.ts';

export const tarBlock = 512;
/** Two blocks of zeroes: the end of an archive. */
export const tarEnd = Buffer.alloc(2 * tarBlock);
/** Zero bytes that follow a member of this length. */
export const tarPadding = (length: number): number => (tarBlock - (length % tarBlock)) % tarBlock;

export interface Member {
  readonly name: string;
  /** Bytes of content that follow. */
  readonly size: number;
}

const octal = (n: number, digits: number): string => `${n.toString(8).padStart(digits, '0')}\0`;
function sum(b: Buffer): number {
  let total = 8 * 32;
  for (let i = 0; i < tarBlock; i++) if (i < 148 || i >= 156) total += b[i] as number;
  return total;
}
/** The header of a file: 512 bytes. `modified` is in seconds since 1970. Names have at most 100 bytes. */
export function tarHeader({ name, size }: Member, modified: number): Buffer {
  const b = Buffer.alloc(tarBlock);
  if (Buffer.byteLength(name) > 100) throw new RangeError(`the name ${name} is too long for tar`);
  b.write(name, 0, 'utf8');
  b.write('0000644\0' + octal(0, 7) + octal(0, 7), 100, 'latin1');
  if (size < 8 ** 11) b.write(octal(size, 11), 124, 'latin1');
  else {
    b.writeUInt8(0x80, 124);
    b.writeBigUInt64BE(BigInt(size), 128);
  }
  b.write(octal(modified, 11), 136, 'latin1');
  b.write('0', 156, 'latin1');
  b.write('ustar\x0000', 257, 'latin1');
  b.write(octal(sum(b), 6) + ' ', 148, 'latin1');
  return b;
}

function text(b: Buffer, at: number, length: number): string {
  const field = b.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? length : end);
}
function number(b: Buffer, at: number, length: number, what: string): number {
  if (((b[at] ?? 0) & 0x80) !== 0) {
    const value = b.readBigUInt64BE(at + length - 8);
    const small = b.subarray(at + 1, at + length - 8).every((byte) => byte === 0) && value < 1n << 52n;
    require(small && b[at] === 0x80, `${what} is no number`);
    return Number(value);
  }
  const digits = text(b, at, length).trim();
  require(/^[0-7]*$/.test(digits), `${what} is no number`);
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}
interface Head extends Member {
  readonly type: string;
}
function readHeader(b: Buffer): Head {
  require(number(b, 148, 8, 'a checksum') === sum(b), 'the checksum of a header is wrong');
  const ustar = b.toString('latin1', 257, 262) === 'ustar';
  const prefix = ustar && b[262] === 0 ? text(b, 345, 155) : '';
  const name = text(b, 0, 100);
  const size = number(b, 124, 12, 'the size of a member');
  return { name: prefix === '' ? name : `${prefix}/${name}`, size, type: String.fromCharCode(b[156] ?? 0) };
}
/** Whether an archive begins so. */
export function isTar(start: Buffer): boolean {
  try {
    return (
      start.length >= tarBlock &&
      !start.subarray(0, tarBlock).every((byte) => byte === 0) &&
      readHeader(start).size >= 0
    );
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}
/** Refuses names that would leave the folder that they are unpacked in. */
export function checkName(name: string): void {
  const parts = name.split('/');
  const safe = name !== '' && !name.includes('\0') && !name.includes('\\') && parts[0] !== '' && !parts.includes('..');
  require(safe, `a member is called ${JSON.stringify(name.slice(0, 200))}: that leads out of the archive`);
}

/** Bytes of what describes a member: long names and the records of pax. */
const largestNote = 64 << 10;
const regular = new Set(['0', '\0', '7']);

/** Reads the members of an archive one after the other; what is left of one is passed over before the next. */
export class TarReader {
  readonly #stream: StreamReader;
  #left = 0;
  #padding = 0;

  constructor(stream: StreamReader) {
    this.#stream = stream;
  }
  /** The next file; undefined at the end of the archive. A stream that ends without the blocks of zeroes is a FormatError. */
  async next(): Promise<Member | undefined> {
    await this.#finish();
    let name: string | undefined;
    let size: number | undefined;
    for (;;) {
      const block = await this.#stream.take(tarBlock, 'the header of a member');
      if (block.every((byte) => byte === 0)) return undefined;
      const head = readHeader(block);
      if (head.type === 'L') name = (await this.#note(head)).toString('utf8').replace(/\0.*$/s, '');
      else if (head.type === 'x') {
        const records = paxRecords(await this.#note(head));
        name = records.get('path') ?? name;
        const given = records.get('size');
        if (given !== undefined) size = paxSize(given);
      } else if (head.type === 'g') await this.#note(head);
      else if (head.type === '5') [name, size] = [undefined, undefined];
      else return this.#begin({ name: name ?? head.name, size: size ?? head.size }, head.type);
    }
  }
  #begin(member: Member, type: string): Member {
    checkName(member.name);
    require(regular.has(type), `${JSON.stringify(member.name)} is no file, but of the type ${JSON.stringify(type)}`);
    this.#left = member.size;
    this.#padding = tarPadding(member.size);
    return member;
  }
  /** The content of the present member, as it comes. */
  async *content(): AsyncGenerator<Buffer, void, undefined> {
    while (this.#left > 0) {
      const piece = await this.#stream.some(this.#left);
      if (!piece) throw new FormatError(`it ends at byte ${this.#stream.position}, within a member`);
      this.#left -= piece.length;
      yield piece;
    }
  }
  /** The whole content of the present member, which may have `most` bytes. */
  async bytes(most: number, what: string): Promise<Buffer> {
    require(this.#left <= most, `${what} has ${this.#left} bytes, at most ${most} are read`);
    const data = await this.#stream.take(this.#left, what);
    this.#left = 0;
    return data;
  }
  async #finish(): Promise<void> {
    await this.#stream.skip(this.#left + this.#padding, 'a member');
    this.#left = 0;
    this.#padding = 0;
  }
  async #note({ size }: Head): Promise<Buffer> {
    require(size <= largestNote, `a note about a member has ${size} bytes`);
    const data = await this.#stream.take(size, 'a note about a member');
    await this.#stream.skip(tarPadding(size), 'a note about a member');
    return data;
  }
}
/** `LENGTH KEY=VALUE\n`, again and again. */
function paxRecords(data: Buffer): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at);
    const length = Number(data.toString('latin1', at, space < 0 ? at : space));
    require(Number.isInteger(length) && length > 0 && at + length <= data.length, 'a note about a member is broken');
    const record = data.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    require(equals > 0, 'a note about a member is broken');
    found.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return found;
}
function paxSize(given: string): number {
  require(/^\d{1,15}$/.test(given), 'the size of a member is no number');
  return Number(given);
}
