/**
 * A file of lines for `journal.ts`: the first is there from its beginning, others are added, and those of a turn begin to count together.
 * Two kinds, which `readLines` tells apart:
 *
 *     plain       lines, written by one call for each turn
 *     mapped      0 magic (8 bytes)   8 how many bytes of lines count (u32)   16 lines, one byte per character, zeros after them
 *
 * A mapped one is memory of this process and of the file at once: a turn costs no call of the kernel, and what counted is there however this
 * process ends. It belongs where it does not outlive a boot (`/run`).
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { putLatin1 } from '../wire/xenstore.ts';
import { koffi } from '../xen/koffi.ts';
import type { Libc } from '../xen/libc.ts';

export interface JournalFile {
  /** Adds a line, given with its end; it does not count yet. */
  add(line: string): void;
  /** What was added counts. False when it did not fit or could not be written: a new file is to be begun. Throws what the kernel says. */
  commit(): boolean;
  /** Ends the writing; the file stays. */
  close(): void;
}

const magic = 'GHXSJRN1';
const headerSize = 16;
const lengthAt = 8;
/** Bytes of changes below which a file is never begun anew. */
const leastGrowth = 1024 * 1024;
const room = (first: number): number => Math.max(leastGrowth, first * 3);

/** The complete lines of a file of either kind; undefined when there is none. Throws when it holds less than it says. */
export function readLines(file: string): string[] | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (text.startsWith(magic)) {
    const length = Buffer.from(text.slice(lengthAt, headerSize), 'latin1').readUInt32LE();
    if (headerSize + length > text.length) throw new Error(`it is ${text.length} bytes long and says ${length} count`);
    text = text.slice(headerSize, headerSize + length);
  }
  // A line cut short by a kill is left out: nobody was told of it.
  return text.split('\n').slice(0, -1);
}

/** A new file that holds `first`, in the place of whatever is at `path`. Mapped where a `libc` is given. */
export function beginFile(path: string, first: string, libc: Libc | undefined): JournalFile {
  return libc ? new MappedFile(path, first, libc) : new PlainFile(path, first);
}

class PlainFile implements JournalFile {
  readonly #fd: number;
  readonly #most: number;
  #length: number;
  #lines = '';

  constructor(path: string, first: string) {
    this.#fd = openSync(path, 'w', 0o600);
    this.#length = first.length;
    this.#most = room(first.length);
    try {
      writeAll(this.#fd, Buffer.from(first, 'latin1'));
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }
  add(line: string): void {
    this.#lines += line;
  }
  commit(): boolean {
    if (this.#lines === '') return true;
    const bytes = Buffer.from(this.#lines, 'latin1');
    this.#lines = '';
    this.#length += bytes.length;
    if (this.#length > this.#most) return false;
    try {
      writeAll(this.#fd, bytes);
    } catch (error) {
      // What follows would stand behind half a line.
      this.#length = Number.POSITIVE_INFINITY;
      throw error;
    }
    return true;
  }
  close(): void {
    closeSync(this.#fd);
  }
}

class MappedFile implements JournalFile {
  readonly #libc: Libc;
  readonly #address: bigint;
  readonly #bytes: Buffer;
  readonly #u32: Uint32Array;
  /** Where the next line goes, and up to where they count. */
  #end = headerSize;
  #counts = headerSize;
  #full = false;

  constructor(path: string, first: string, libc: Libc) {
    this.#libc = libc;
    const size = Math.ceil((headerSize + room(first.length)) / 4096) * 4096;
    const fd = openSync(path, 'w+', 0o600);
    try {
      // Every page is written, so that a full file system is an error here and not a fault when a line is added.
      const zeros = Buffer.alloc(Math.min(size, leastGrowth));
      for (let left = size; left > 0; left -= zeros.length) writeAll(fd, zeros.subarray(0, left));
      this.#address = libc.map(fd, size);
    } finally {
      closeSync(fd);
    }
    const memory = koffi().view(this.#address, size);
    this.#bytes = Buffer.from(memory);
    this.#u32 = new Uint32Array(memory, 0, headerSize / 4);
    putLatin1(this.#bytes, 0, magic);
    this.add(first);
    this.commit();
  }
  add(line: string): void {
    if (this.#full || this.#end + line.length > this.#bytes.length) {
      this.#full = true;
      return;
    }
    putLatin1(this.#bytes, this.#end, line);
    this.#end += line.length;
  }
  commit(): boolean {
    if (this.#full) return false;
    if (this.#counts !== this.#end) {
      this.#counts = this.#end;
      Atomics.store(this.#u32, lengthAt / 4, this.#end - headerSize);
    }
    return true;
  }
  close(): void {
    this.#libc.unmap(this.#address, this.#bytes.length);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
}
