/**
 * Writes a new image, of which nothing was written before, straight into its file: raw ones at their places; qcow2 ones cluster after
 * cluster as they come, with the tables behind them.
 *
 *     header · L1 table · clusters, in the order of their first bytes … · L2 tables · refcount table · refcount blocks
 */
import { type FileHandle, open } from 'node:fs/promises';
import { copied, qcow2ClusterBits, writeQcow2Header } from '../../wire/qcow2.ts';
import type { DiskTarget } from './disk.ts';

export interface ImageTarget extends DiskTarget {
  /** Writes what is left to be written; the file is not synced. */
  finish(): Promise<void>;
  /** Closes the file, finished or not. */
  close(): Promise<void>;
}
export async function openTarget(path: string, format: 'raw' | 'qcow2', size: number): Promise<ImageTarget> {
  const file = await open(path, 'r+');
  return format === 'raw' ? new RawTarget(file) : new Qcow2Target(file, size);
}

/** Bytes after which what was written is sent to the medium, so that it is busy while more comes. */
const syncEvery = 32 << 20;
/** Sends what was written to the medium now and then, once at a time. */
class Flusher {
  readonly #file: FileHandle;
  #written = 0;
  #running: Promise<void> | undefined;
  constructor(file: FileHandle) {
    this.#file = file;
  }
  wrote(bytes: number): void {
    this.#written += bytes;
    if (this.#written < syncEvery || this.#running) return;
    this.#written = 0;
    // Whether all is on the medium is asked again at the end, and what fails then is told.
    const done = () => {
      this.#running = undefined;
    };
    this.#running = this.#file.datasync().then(done, done);
  }
  async idle(): Promise<void> {
    await this.#running;
  }
}

class RawTarget implements ImageTarget {
  readonly #file: FileHandle;
  readonly #flusher: Flusher;
  constructor(file: FileHandle) {
    this.#file = file;
    this.#flusher = new Flusher(file);
  }
  async write(offset: number, data: Buffer): Promise<void> {
    await writeFully(this.#file, data, offset);
    this.#flusher.wrote(data.length);
  }
  /** It is all zeroes already. */
  async writeZeroes(): Promise<void> {
    await Promise.resolve();
  }
  async finish(): Promise<void> {
    await Promise.resolve();
  }
  async close(): Promise<void> {
    await this.#flusher.idle();
    await this.#file.close();
  }
}
async function writeFully(file: FileHandle, data: Buffer, offset: number): Promise<void> {
  for (let done = 0; done < data.length; )
    done += (await file.write(data, done, data.length - done, offset + done)).bytesWritten;
}

const cluster = 2 ** qcow2ClusterBits;
const perTable = cluster / 8;
const perRefcountBlock = cluster / 2;
const clusters = (bytes: number): number => Math.ceil(bytes / cluster);

class Qcow2Target implements ImageTarget {
  readonly #file: FileHandle;
  readonly #flusher: Flusher;
  readonly #size: number;
  readonly #l1Entries: number;
  /** Index of a second table → its entries: clusters of the file, 0 for none. Four bytes for each cluster of what was touched. */
  readonly #tables = new Map<number, Uint32Array>();
  /** The first cluster of the file that is free. */
  #next: number;
  #begun: Promise<void> | undefined;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.#flusher = new Flusher(file);
    this.#size = size;
    this.#l1Entries = Math.ceil(Math.ceil(size / cluster) / perTable);
    this.#next = 1 + clusters(this.#l1Entries * 8);
  }
  async write(offset: number, data: Buffer): Promise<void> {
    // What was there was an empty image.
    this.#begun ??= this.#file.truncate(0);
    const pieces: { at: number; data: Buffer }[] = [];
    for (let done = 0; done < data.length; ) {
      const within = (offset + done) % cluster;
      const now = Math.min(cluster - within, data.length - done);
      const at = this.#place(Math.floor((offset + done) / cluster)) * cluster + within;
      const last = pieces.at(-1);
      if (last && last.at + last.data.length === at) last.data = data.subarray(done - last.data.length, done + now);
      else pieces.push({ at, data: data.subarray(done, done + now) });
      done += now;
    }
    await this.#begun;
    for (const piece of pieces) await writeFully(this.#file, piece.data, piece.at);
    this.#flusher.wrote(data.length);
  }
  /** It is all zeroes already. */
  async writeZeroes(): Promise<void> {
    await Promise.resolve();
  }
  async finish(): Promise<void> {
    await (this.#begun ??= this.#file.truncate(0));
    const l1 = Buffer.alloc(clusters(this.#l1Entries * 8) * cluster);
    for (const [index, table] of [...this.#tables].sort(([a], [b]) => a - b)) {
      const bytes = Buffer.alloc(cluster);
      for (const [i, at] of table.entries()) if (at > 0) bytes.writeBigUInt64BE(copied(at * cluster), i * 8);
      l1.writeBigUInt64BE(copied(this.#next * cluster), index * 8);
      await writeFully(this.#file, bytes, this.#next++ * cluster);
    }
    const refcounts = await this.#refcounts();
    const header = { size: this.#size, l1At: cluster, l1Entries: this.#l1Entries, ...refcounts };
    await writeFully(this.#file, Buffer.concat([writeQcow2Header(header)], cluster), 0);
    await writeFully(this.#file, l1, cluster);
  }
  async close(): Promise<void> {
    await this.#flusher.idle();
    await this.#file.close();
  }
  /** The cluster of the file that holds a cluster of the disk; a new one at first. */
  #place(index: number): number {
    const number = Math.floor(index / perTable);
    let table = this.#tables.get(number);
    if (!table) this.#tables.set(number, (table = new Uint32Array(perTable)));
    const at = index % perTable;
    if (table[at] === 0) table[at] = this.#next++;
    return table[at] as number;
  }
  /** A count of 1 for every cluster, those of the counts too. */
  async #refcounts(): Promise<{ refcountTableAt: number; refcountTableClusters: number }> {
    let blocks = 0;
    let tableClusters = 1;
    for (let before = -1; before !== blocks; ) {
      before = blocks;
      tableClusters = Math.max(1, clusters(blocks * 8));
      blocks = Math.ceil((this.#next + tableClusters + blocks) / perRefcountBlock);
    }
    const tableAt = this.#next;
    const end = tableAt + tableClusters + blocks;
    const table = Buffer.alloc(tableClusters * cluster);
    for (let i = 0; i < blocks; i++) {
      const at = tableAt + tableClusters + i;
      table.writeBigUInt64BE(BigInt(at) * BigInt(cluster), i * 8);
      const counts = Buffer.alloc(cluster);
      for (let j = 0; j < Math.min(perRefcountBlock, end - i * perRefcountBlock); j++) counts.writeUInt16BE(1, j * 2);
      await writeFully(this.#file, counts, at * cluster);
    }
    await writeFully(this.#file, table, tableAt * cluster);
    return { refcountTableAt: tableAt * cluster, refcountTableClusters: tableClusters };
  }
}
