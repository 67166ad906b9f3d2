/**
 * What of a ring is not in its page, for the successor of a daemon that is killed: answers that did not fit, the beginning of a request longer
 * than the ring, open transactions. Lines in a file that is mapped into memory: writing one costs no call of the kernel, and what was
 * written is there however this process ends. The file belongs where it does not outlive a boot (`/run`).
 *
 *     0 magic (8 bytes)   8 what counts (u32): length of its lines, and in the highest bit which half they are in
 *     16 a half: lines, one byte per character, the last of each domain counts      the other half
 *
 *     first half ──full──▶ the last line of each into the other half, then the one word that says so ──▶ second half ──full──▶ first …
 *                                └── they fill more than a part of it ──▶ a new, larger file takes this one's place
 *
 * So a busy ring costs no call of the kernel and no fresh memory, and a kill at any instant leaves one half or the other, whole.
 */
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { putLatin1 } from '../../wire/xenstore.ts';
import { koffi } from '../../xen/koffi.ts';
import type { Libc } from '../../xen/libc.ts';

/** A ring as a successor goes on with it. Bytes are latin1. */
export interface RingState {
  readonly domid: number;
  /** Requests up to here are answered. */
  readonly consumer: number;
  /** Where `output` begins in the stream of replies. */
  readonly replied: number;
  /** Answers that are, or are about to be, put there. */
  readonly output: string;
  /** Bytes at its beginning that belong to an answer that was begun earlier. */
  readonly unfinished: number;
  /** Bytes of a request that were taken out of the ring before it was complete. */
  readonly input: string;
  readonly nextTransaction: number;
  readonly transactions: readonly number[];
}

const magic = 'GHXSRNG1';
const headerSize = 16;
const lengthAt = 8;
const smallest = 128 * 1024;
/** The bit of `what counts` that says: the second half. */
const second = 0x8000_0000;
/** A half is begun with lines that fill at most one part in this many of it. */
const room = 4;

/** What a predecessor wrote last about each domain; empty when there was none. Throws when the file is something else. */
export function readRingLog(file: string): Map<number, RingState> {
  const states = new Map<number, RingState>();
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return states;
    throw error;
  }
  const counts = bytes.length < headerSize ? 0 : bytes.readUInt32LE(lengthAt);
  const length = counts % second;
  const from = headerSize + (counts >= second ? halfOf(bytes.length) : 0);
  if (bytes.toString('latin1', 0, lengthAt) !== magic || from + length > bytes.length) {
    throw new Error(`${file}: not what a xenstored wrote about its rings; move it away to begin anew`);
  }
  for (const line of bytes.toString('latin1', from, from + length).split('\n')) {
    if (line === '') continue;
    const state = JSON.parse(line) as RingState;
    states.set(state.domid, state);
  }
  return states;
}

export class RingLog {
  readonly #file: string;
  readonly #libc: Libc;
  readonly #last = new Map<number, string>();
  #address: bigint | undefined;
  #bytes: Buffer = Buffer.alloc(0);
  #u32 = new Uint32Array(0);
  /** Which half counts, and where its lines end. */
  #half: 0 | 1 = 0;
  #end = headerSize;

  /** Begins a new file, which holds what a predecessor wrote: until something newer is kept, that counts. */
  constructor(file: string, libc: Libc, before: Iterable<RingState> = []) {
    this.#file = file;
    this.#libc = libc;
    for (const state of before) this.#last.set(state.domid, `${JSON.stringify(state)}\n`);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.#replace();
  }
  /** From now on a successor finds this of the domain. */
  keep(state: RingState): void {
    const line = `${JSON.stringify(state)}\n`;
    this.#last.set(state.domid, line);
    if (this.#end + line.length > this.#from(this.#half) + halfOf(this.#bytes.length)) this.#turnOver();
    else this.#append(line);
  }
  /** The domain is gone; its line goes with the next file. */
  forget(domid: number): void {
    this.#last.delete(domid);
  }
  /** Ends the writing; the file stays. */
  close(): void {
    const address = this.#address;
    if (address === undefined) return;
    const size = this.#bytes.length;
    this.#address = undefined;
    this.#bytes = Buffer.alloc(0);
    this.#u32 = new Uint32Array(0);
    this.#libc.unmap(address, size);
  }

  #from(half: 0 | 1): number {
    return headerSize + half * halfOf(this.#bytes.length);
  }
  #append(line: string): void {
    putLatin1(this.#bytes, this.#end, line);
    this.#end += line.length;
    this.#counts();
  }
  /** Only now does what was written count. */
  #counts(): void {
    const length = this.#end - this.#from(this.#half);
    Atomics.store(this.#u32, lengthAt / 4, length + this.#half * second);
  }
  /** Goes on in the other half, or in a larger file, with the last line of each domain. */
  #turnOver(): void {
    const lines = [...this.#last.values()].join('');
    if (lines.length * room > halfOf(this.#bytes.length)) {
      this.#replace();
      return;
    }
    this.#half = this.#half === 0 ? 1 : 0;
    this.#end = this.#from(this.#half);
    this.#append(lines);
  }
  /** Begins a new file with the last line of each domain; a successor finds the old one or the new one, whole. */
  #replace(): void {
    const lines = [...this.#last.values()].join('');
    const size = pageRounded(Math.max(smallest, lines.length * room * 4));
    const fresh = `${this.#file}.new`;
    const fd = openSync(fresh, 'w+', 0o600);
    let address: bigint;
    try {
      // Every page is written, so that a full file system is an error here and not a fault when a line is appended.
      writeSync(fd, Buffer.alloc(size));
      address = this.#libc.map(fd, size);
    } finally {
      closeSync(fd);
    }
    this.close();
    const memory = koffi().view(address, size);
    this.#address = address;
    this.#bytes = Buffer.from(memory);
    this.#u32 = new Uint32Array(memory, 0, headerSize / 4);
    this.#half = 0;
    this.#end = headerSize;
    putLatin1(this.#bytes, 0, magic);
    this.#append(lines);
    renameSync(fresh, this.#file);
  }
}

/** Bytes of a half in a file of `size`. */
const halfOf = (size: number): number => Math.max(0, Math.floor((size - headerSize) / 2));
const pageRounded = (size: number): number => Math.ceil(size / 4096) * 4096;
