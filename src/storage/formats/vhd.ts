/**
 * VHD. Read as it comes: the blocks of a dynamic disk lie in any order behind its table, and go to their places as they pass.
 * Written with its exact size, dynamic, or differencing when there is a base.
 */
import { FormatError, require } from '../../wire/format-error.ts';
import type { StreamReader } from '../../wire/stream-reader.ts';
import {
  bitmapSize,
  isFooter,
  readFooter,
  readHeader,
  type VhdFooter,
  type VhdHeader,
  vhdAbsent,
  vhdBlockSize,
  vhdHeaderSize,
  vhdLargest,
  vhdSector,
  writeFooter,
  writeHeader,
} from '../../wire/vhd.ts';
import { differing } from './differing.ts';
import { pieceSize } from './disk.ts';
import type { Format, From, Into } from './format.ts';
import type { Plan, Segment } from './plan.ts';
import { allocated, UnitMap } from './unit-map.ts';
import { DiskWriter } from './window.ts';

async function read(stream: StreamReader, into: Into): Promise<void> {
  const start = await stream.peek(vhdSector);
  require(start.length === vhdSector, `it has ${start.length} bytes only`);
  const footer = leadingFooter(start);
  if (!footer) return readFixed(stream, into);
  requireFits(footer, into);
  return readDynamic(stream, into, footer);
}
/** A fixed disk may begin with anything, a footer too: one whose type is fixed is content. */
function leadingFooter(start: Buffer): VhdFooter | undefined {
  if (!isFooter(start)) return undefined;
  const footer = readFooter(start);
  return footer.kind === 'fixed' ? undefined : footer;
}
function requireFits(footer: VhdFooter, { size }: Into): void {
  require(footer.size <= size, `it holds a disk of ${footer.size} bytes, this one has ${size}`);
}

/** Content and a footer: the last 512 bytes are held back until the end. */
async function readFixed(stream: StreamReader, into: Into): Promise<void> {
  const { target, size, isEmpty } = into;
  const writer = new DiskWriter(target, isEmpty);
  let at = 0;
  for (;;) {
    const ahead = await stream.peek(pieceSize + vhdSector);
    if (ahead.length <= vhdSector) break;
    const data = await stream.upTo(Math.min(pieceSize, ahead.length - vhdSector));
    require(at + data.length <= size, `it is longer than the disk's ${size} bytes`);
    await writer.put(at, data);
    at += data.length;
  }
  await writer.drain();
  const footer = readFooter(await stream.take(vhdSector, 'its footer'));
  require(footer.kind === 'fixed', `its last sector says that it is ${footer.kind}, and it begins with no header`);
  requireFits(footer, into);
  require(footer.size === at, `its footer says ${footer.size} bytes, ${at} came before it`);
}

/** A block of the file and where it belongs. */
interface Block {
  /** Byte in the file. */
  readonly at: number;
  readonly index: number;
}
async function readDynamic(stream: StreamReader, into: Into, footer: VhdFooter): Promise<void> {
  await stream.skip(footer.headerAt, 'what comes before its header');
  const header = readHeader(await stream.take(vhdHeaderSize, 'its header'), footer.size);
  require(header.tableAt >= stream.position, 'its table comes before its header');
  await stream.skip(header.tableAt - stream.position, 'what comes before its table');
  const table = await stream.take(Math.ceil(footer.size / header.blockSize) * 4, 'its table');
  const writer = new DiskWriter(into.target, footer.kind === 'dynamic' && into.isEmpty);
  for (const block of blocksOf(table, header, stream.position)) {
    await stream.skip(block.at - stream.position, `what comes before block ${block.index}`);
    await readBlock(stream, writer, block, header, footer.size);
  }
  await writer.drain();
  const last = await stream.tail(vhdSector);
  require(last.length === vhdSector, 'it ends without a footer');
  const end = readFooter(last);
  require(end.size === footer.size && end.kind === footer.kind, 'its two footers differ');
}
/** The blocks that are there, as they lie in the file. */
function blocksOf(table: Buffer, { blockSize }: VhdHeader, from: number): readonly Block[] {
  const length = bitmapSize(blockSize) + blockSize;
  const blocks: Block[] = [];
  for (let index = 0; index < table.length / 4; index++) {
    const sector = table.readUInt32BE(index * 4);
    if (sector !== vhdAbsent) blocks.push({ at: sector * vhdSector, index });
  }
  blocks.sort((a, b) => a.at - b.at);
  let end = from;
  for (const { at, index } of blocks) {
    require(at >= end, `block ${index} is at byte ${at}, where something else is`);
    end = at + length;
  }
  return blocks;
}
async function readBlock(
  stream: StreamReader,
  writer: DiskWriter,
  { index }: Block,
  { blockSize }: VhdHeader,
  size: number,
): Promise<void> {
  const what = `block ${index}`;
  const bitmap = await stream.take(bitmapSize(blockSize), what);
  const whole = bitmap.subarray(0, blockSize / vhdSector / 8).every((byte) => byte === 0xff);
  const place = index * blockSize;
  // Where all sectors are there, what comes is written as it comes.
  for (let at = 0; whole && at < blockSize; ) {
    const data = await stream.some(blockSize - at);
    require(data !== undefined, `it ends within ${what}`);
    const there = Math.min(data.length, size - place - at);
    if (there > 0) await writer.put(place + at, data.subarray(0, there));
    at += data.length;
  }
  for (let at = 0; !whole && at < blockSize; at += pieceSize) {
    const data = await stream.take(Math.min(pieceSize, blockSize - at), what);
    for (const { from, to } of present(bitmap, at, data.length))
      if (place + at + from < size)
        await writer.put(place + at + from, data.subarray(from, Math.min(to, size - place - at)));
  }
}
/** The runs of sectors whose bits are set, as bytes of the piece of a block that begins at `at`. */
function* present(bitmap: Buffer, at: number, length: number): Generator<{ from: number; to: number }> {
  const bit = (sector: number) => ((bitmap[sector >> 3] ?? 0) & (0x80 >> (sector & 7))) !== 0;
  const first = at / vhdSector;
  const count = length / vhdSector;
  for (let i = 0; i < count; ) {
    const set = bit(first + i);
    let end = i + 1;
    while (end < count && bit(first + end) === set) end++;
    if (set) yield { from: i * vhdSector, to: end * vhdSector };
    i = end;
  }
}

/** In a differencing disk sectors come and go in units of this. */
const differenceUnit = 64 << 10;
const fullBitmap = Buffer.alloc(bitmapSize(vhdBlockSize), 0xff);

async function plan({ source, size, id, base }: From): Promise<Plan> {
  if (size > vhdLargest) throw new FormatError(`it holds at most ${vhdLargest} bytes, the disk has ${size}`);
  const changes = base && (await differing(source, base.source, size, differenceUnit));
  const blocks = changes ? coarser(changes, size) : await allocated(source, size, vhdBlockSize);
  const footer = writeFooter({ kind: base ? 'differencing' : 'dynamic', size, id });
  const tableAt = vhdSector + vhdHeaderSize;
  const header = writeHeader({ tableAt, entries: blocks.count, ...(base ? { parent: base.id } : {}) });
  const tableSize = Math.ceil((blocks.count * 4) / vhdSector) * vhdSector;
  const stride = fullBitmap.length + vhdBlockSize;
  const table = Buffer.alloc(tableSize, 0xff);
  let next = tableAt + tableSize;
  for (const i of blocks.units()) {
    table.writeUInt32BE(next / vhdSector, i * 4);
    next += stride;
  }
  function* segments(): Generator<Segment> {
    yield { bytes: Buffer.concat([footer, header, table]) };
    for (const i of blocks.units()) {
      yield { bytes: changes ? bitmapOf(changes, i) : fullBitmap };
      const there = Math.min(vhdBlockSize, size - i * vhdBlockSize);
      yield { disk: i * vhdBlockSize, length: there };
      if (there < vhdBlockSize) yield { zeroes: vhdBlockSize - there };
    }
    yield { bytes: footer };
  }
  return { length: next + vhdSector, segments };
}
function coarser(changes: UnitMap, size: number): UnitMap {
  const blocks = new UnitMap(size, vhdBlockSize);
  for (const i of changes.units()) blocks.add(Math.floor((i * changes.unit) / vhdBlockSize));
  return blocks;
}
function bitmapOf(changes: UnitMap, block: number): Buffer {
  const bitmap = Buffer.alloc(fullBitmap.length);
  const bytes = changes.unit / vhdSector / 8;
  const first = (block * vhdBlockSize) / changes.unit;
  for (let i = 0; i < vhdBlockSize / changes.unit; i++)
    if (changes.has(first + i)) bitmap.fill(0xff, i * bytes, (i + 1) * bytes);
  return bitmap;
}

export const vhd: Format = {
  read,
  plan,
  differences: true,
  liesOn: (head) => isFooter(head) && leadingFooter(head)?.kind === 'differencing',
};
