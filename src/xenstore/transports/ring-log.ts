/**
 * What of a ring is not in its page, for the successor of a daemon that is killed: answers that did not fit, the beginning of a request longer
 * than the ring, open transactions. Lines in a file that is mapped into memory: writing one costs no call of the kernel, and what was
 * written is there however this process ends. The file belongs where it does not outlive a boot (`/run`).
 *
 *     0 magic (8 bytes)   8 length of what is written (u32)   16 lines, one byte per character; the last of each domain counts
 *
 * A file that is full is replaced by a new one with the last line of each.
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
const smallest = 256 * 1024;

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
  const length = bytes.length < headerSize ? 0 : bytes.readUInt32LE(lengthAt);
  if (bytes.toString('latin1', 0, lengthAt) !== magic || length > bytes.length - headerSize) {
    throw new Error(`${file}: not what a xenstored wrote about its rings; move it away to begin anew`);
  }
  for (const line of bytes.toString('latin1', headerSize, headerSize + length).split('\n')) {
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
    if (this.#end + line.length > this.#bytes.length) this.#replace();
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

  #append(line: string): void {
    putLatin1(this.#bytes, this.#end, line);
    this.#end += line.length;
    Atomics.store(this.#u32, lengthAt / 4, this.#end - headerSize);
  }
  /** Begins a new file with the last line of each domain; a successor finds the old one or the new one, whole. */
  #replace(): void {
    const lines = [...this.#last.values()].join('');
    const size = pageRounded(Math.max(smallest, lines.length * 4));
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
    this.#end = headerSize;
    putLatin1(this.#bytes, 0, magic);
    this.#append(lines);
    renameSync(fresh, this.#file);
  }
}

const pageRounded = (size: number): number => Math.ceil(size / 4096) * 4096;
