/**
 * qcow2. Tables may be anywhere in a file, so an import keeps the file beside the disk while it is read. An export knows from the
 * start which clusters hold data, and so the place of everything:
 *
 *     header · L1 table · refcount table · refcount blocks · L2 tables · clusters
 */
import type { Transform } from 'node:stream';
import { createInflateRaw, createZstdDecompress } from 'node:zlib';
import { require } from '../../wire/format-error.ts';
import {
  clusterOf,
  copied,
  placeOfTable,
  type Qcow2Header,
  qcow2ClusterBits,
  readQcow2Header,
  writeQcow2Header,
} from '../../wire/qcow2.ts';
import type { StreamReader } from '../../wire/stream-reader.ts';
import { pieceSize } from './disk.ts';
import type { Format, From, Into, Spool } from './format.ts';
import type { Plan, Segment } from './plan.ts';
import { allocated, type UnitMap } from './unit-map.ts';
import { DiskWriter } from './window.ts';

async function read(stream: StreamReader, into: Into): Promise<void> {
  const header = readQcow2Header(await stream.peek(112));
  require(header.size <= into.size, `it holds a disk of ${header.size} bytes, this one has ${into.size}`);
  // Tables and refcounts are far less than the content; so may be what snapshots inside it have kept.
  const file = await into.spool(stream, 2 * header.size + (64 << 20));
  const writer = new DiskWriter(into.target, into.isEmpty);
  await new Reader(file, (await file.stat()).size, header).copy(writer);
  await writer.drain();
}

class Reader {
  readonly #file: Spool;
  readonly #length: number;
  readonly #header: Qcow2Header;
  readonly #cluster: number;
  /** Content that the file has room for: what points twice at one cluster uses it up. */
  #left: number;

  constructor(file: Spool, length: number, header: Qcow2Header) {
    this.#file = file;
    this.#length = length;
    this.#header = header;
    this.#cluster = 2 ** header.clusterBits;
    this.#left = length;
  }
  async copy(writer: DiskWriter): Promise<void> {
    const { l1At, l1Entries } = this.#header;
    const perTable = this.#cluster / 8;
    for (let i = 0; i < l1Entries; i++) {
      const at = placeOfTable((await this.#bytes(l1At + i * 8, 8, 'its first table')).readBigUInt64BE(0));
      if (at === 0) continue;
      require(at % this.#cluster === 0, `entry ${i} of its first table points to ${at}`);
      this.#spend(this.#cluster);
      const table = await this.#bytes(at, this.#cluster, `second table ${i}`);
      await this.#table(table, i * perTable, writer);
    }
  }
  async #table(table: Buffer, first: number, writer: DiskWriter): Promise<void> {
    const { size, clusterBits } = this.#header;
    for (let i = 0; i < table.length / 8; i++) {
      const place = (first + i) * this.#cluster;
      if (place >= size) return;
      const cluster = clusterOf(table.readBigUInt64BE(i * 8), clusterBits);
      const length = Math.min(this.#cluster, size - place);
      if (cluster.kind === 'compressed') {
        this.#spend(1);
        const data = await this.#unpacked(cluster.at, Math.min(cluster.length, this.#length - cluster.at));
        await writer.put(place, data.subarray(0, length));
      } else if (cluster.kind === 'data') await this.#data(cluster.at, place, length, writer);
    }
  }
  async #data(at: number, place: number, length: number, writer: DiskWriter): Promise<void> {
    require(at % this.#cluster === 0, `a cluster is said to be at ${at}`);
    this.#spend(this.#cluster);
    for (let done = 0; done < length; done += pieceSize) {
      const now = Math.min(pieceSize, length - done);
      await writer.put(place + done, await this.#bytes(at + done, now, `the cluster of byte ${place}`));
    }
  }
  async #unpacked(at: number, length: number): Promise<Buffer> {
    const packed = await this.#bytes(at, Math.max(0, length), 'a compressed cluster');
    const unpacked = this.#header.compression === 'zstd' ? createZstdDecompress : createInflateRaw;
    const whole = await beginning(unpacked({ chunkSize: this.#cluster }), packed, this.#cluster);
    require(whole.length === this.#cluster, `the compressed cluster at ${at} cannot be unpacked`);
    return whole;
  }
  #spend(bytes: number): void {
    this.#left -= bytes;
    require(this.#left >= 0, 'its tables point to more clusters than it has');
  }
  async #bytes(at: number, length: number, what: string): Promise<Buffer> {
    const data = Buffer.allocUnsafe(length);
    const { bytesRead } = await this.#file.read(data, 0, length, at);
    // The last cluster of a file may end where the disk does.
    if (bytesRead < length)
      require(at + bytesRead === this.#length && bytesRead > 0, `${what} is at ${at}, behind its end`);
    data.fill(0, bytesRead);
    return data;
  }
}

/**
 * The first `length` bytes that unpacking `packed` gives; none when that fails. What follows in `packed` belongs to something else:
 * its length is known in sectors only.
 */
async function beginning(inflater: Transform, packed: Buffer, length: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let left = length;
  inflater.end(packed);
  try {
    for await (const part of inflater as AsyncIterable<Buffer>) {
      parts.push(part.subarray(0, left));
      left -= part.length;
      if (left <= 0) break;
    }
  } catch {
    return Buffer.alloc(0);
  }
  return Buffer.concat(parts);
}

const cluster = 2 ** qcow2ClusterBits;
const perTable = cluster / 8;
const perRefcountBlock = cluster / 2;
const clusters = (bytes: number): number => Math.ceil(bytes / cluster);

/** Where everything is, in clusters. */
interface Layout {
  readonly l1Entries: number;
  readonly l1At: number;
  readonly refcountTableAt: number;
  readonly refcountBlocksAt: number;
  readonly tablesAt: number;
  readonly dataAt: number;
  readonly end: number;
}
function layout(map: UnitMap, tables: number): Layout {
  const l1Entries = Math.ceil(map.count / perTable);
  const l1 = clusters(l1Entries * 8);
  const rest = 1 + l1 + tables + map.total;
  // Refcounts count themselves too: a few rounds until both numbers fit.
  let blocks = 0;
  let refcountTable = 0;
  for (let before = -1; before !== blocks; ) {
    before = blocks;
    refcountTable = Math.max(1, clusters(blocks * 8));
    blocks = Math.ceil((rest + refcountTable + blocks) / perRefcountBlock);
  }
  const refcountTableAt = 1 + l1;
  const refcountBlocksAt = refcountTableAt + refcountTable;
  const tablesAt = refcountBlocksAt + blocks;
  const dataAt = tablesAt + tables;
  return { l1Entries, l1At: 1, refcountTableAt, refcountBlocksAt, tablesAt, dataAt, end: dataAt + map.total };
}

async function plan({ source, size }: From): Promise<Plan> {
  const map = await allocated(source, size, cluster);
  const counts: number[] = [];
  for (let i = 0; i < map.count; i += perTable) counts.push(map.within(i, i + perTable));
  const at = layout(map, counts.filter((n) => n > 0).length);
  function* segments(): Generator<Segment> {
    yield { bytes: head(at, size, counts) };
    yield* refcounts(at);
    yield* tables(at, map, counts);
    for (const i of map.units()) {
      const there = Math.min(cluster, size - i * cluster);
      yield { disk: i * cluster, length: there };
      if (there < cluster) yield { zeroes: cluster - there };
    }
  }
  return { length: at.end * cluster, segments };
}
/** The header, the first table and the refcount table. */
function head(at: Layout, size: number, counts: readonly number[]): Buffer {
  const bytes = Buffer.alloc(at.refcountBlocksAt * cluster);
  const { l1Entries } = at;
  const refcountTableClusters = at.refcountBlocksAt - at.refcountTableAt;
  const places = { l1At: at.l1At * cluster, refcountTableAt: at.refcountTableAt * cluster };
  writeQcow2Header({ size, l1Entries, refcountTableClusters, ...places }).copy(bytes);
  let table = at.tablesAt;
  for (const [i, count] of counts.entries())
    if (count > 0) bytes.writeBigUInt64BE(copied(table++ * cluster), at.l1At * cluster + i * 8);
  for (let i = at.refcountBlocksAt; i < at.tablesAt; i++)
    bytes.writeBigUInt64BE(BigInt(i * cluster), at.refcountTableAt * cluster + (i - at.refcountBlocksAt) * 8);
  return bytes;
}
function* refcounts(at: Layout): Generator<Segment> {
  for (let left = at.end; left > 0; left -= perRefcountBlock) {
    const block = Buffer.alloc(cluster);
    for (let i = 0; i < Math.min(left, perRefcountBlock); i++) block.writeUInt16BE(1, i * 2);
    yield { bytes: block };
  }
}
function* tables(at: Layout, map: UnitMap, counts: readonly number[]): Generator<Segment> {
  let next = at.dataAt;
  for (const [i, count] of counts.entries()) {
    if (count === 0) continue;
    const table = Buffer.alloc(cluster);
    for (const unit of map.units(i * perTable, (i + 1) * perTable))
      table.writeBigUInt64BE(copied(next++ * cluster), (unit - i * perTable) * 8);
    yield { bytes: table };
  }
}

export const qcow2: Format = { read, plan, differences: false };
