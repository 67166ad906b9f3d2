/**
 * VMDK in one file. Stream-optimised ones are read and written as they pass, grain by grain; a sparse one, whose tables point
 * anywhere, is kept beside the disk while it is read.
 */
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import { FormatError, require } from '../../wire/format-error.ts';
import type { StreamReader } from '../../wire/stream-reader.ts';
import {
  checkDescriptor,
  grainHead,
  readMarker,
  readVmdkHeader,
  storedGrain,
  storeGrain,
  type VmdkHeader,
  vmdkGrain,
  vmdkOverhead,
  vmdkSector,
  vmdkTable,
  writeGrain,
  writeMarker,
  writeVmdkHeader,
  writeVmdkStart,
} from '../../wire/vmdk.ts';
import { isZero, pieceSize } from './disk.ts';
import type { Format, From, Into, Spool } from './format.ts';
import type { Plan, Segment } from './plan.ts';
import { allocated, UnitMap } from './unit-map.ts';
import { DiskWriter } from './window.ts';

const [pack, unpack] = [promisify(deflate) as Packer, promisify(inflate) as Packer];
type Packer = (data: Buffer, options?: object) => Promise<Buffer>;

async function read(stream: StreamReader, into: Into): Promise<void> {
  const header = readVmdkHeader(await stream.peek(vmdkSector));
  // A disk may end within the last sector that the header counts.
  require(header.size - vmdkSector < into.size, `it holds a disk of ${header.size} bytes, this one has ${into.size}`);
  if (header.kind === 'sparse') return readSparse(stream, into, header);
  await stream.skip(header.descriptor.at, 'what comes before its descriptor');
  checkDescriptor((await stream.take(header.descriptor.length, 'its descriptor')).toString('latin1'));
  require(header.overhead >= stream.position, 'its first grain is within its descriptor');
  await stream.skip(header.overhead - stream.position, 'what comes before its first grain');
  await readMarked(stream, into, header);
}

async function readMarked(stream: StreamReader, into: Into, header: VmdkHeader): Promise<void> {
  const writer = new DiskWriter(into.target, into.isEmpty);
  const seen = new UnitMap(header.size, header.grain);
  for (;;) {
    const sector = await stream.take(vmdkSector, 'a marker');
    const marker = readMarker(sector, header);
    if (marker.kind === 'end') break;
    if (marker.kind !== 'grain') {
      await stream.skip(marker.length, `its ${marker.kind}`);
      continue;
    }
    const { place, length } = marker;
    const first = sector.subarray(grainHead, grainHead + length);
    const whole = Math.ceil((grainHead + length) / vmdkSector) * vmdkSector - vmdkSector;
    const packed = Buffer.concat([first, await stream.take(whole, `the grain of byte ${place}`)]).subarray(0, length);
    require(seen.add(place / header.grain), `the grain of byte ${place} comes twice`);
    const data = await unpacked(packed, header, place);
    await writer.put(place, data.subarray(0, Math.max(0, into.size - place)));
  }
  await writer.drain();
}
async function unpacked(packed: Buffer, { grain, size }: VmdkHeader, place: number): Promise<Buffer> {
  let data: Buffer;
  try {
    data = await unpack(packed, { maxOutputLength: grain });
  } catch (cause) {
    throw new FormatError(`the grain of byte ${place} cannot be unpacked`, { cause });
  }
  require(data.length >= Math.min(grain, size - place), `the grain of byte ${place} holds ${data.length} bytes`);
  return data;
}

async function readSparse(stream: StreamReader, into: Into, header: VmdkHeader): Promise<void> {
  const file = await into.spool(stream, 2 * header.size + (64 << 20));
  const length = (await file.stat()).size;
  const bytes = (at: number, count: number, what: string) => bytesAt(file, length, at, count, what);
  if (header.descriptor.length > 0)
    checkDescriptor((await bytes(header.descriptor.at, header.descriptor.length, 'its descriptor')).toString('latin1'));
  const writer = new DiskWriter(into.target, into.isEmpty);
  const perTable = vmdkTable * header.grain;
  // Content that the file has room for: what points twice at one grain uses it up.
  let left = length;
  for (let i = 0; i * perTable < header.size; i++) {
    const at = (await bytes(header.directoryAt + i * 4, 4, 'its directory')).readUInt32LE(0) * vmdkSector;
    if (at === 0) continue;
    const table = await bytes(at, vmdkTable * 4, `table ${i}`);
    for (let j = 0; j < vmdkTable; j++) {
      const sector = table.readUInt32LE(j * 4);
      const place = i * perTable + j * header.grain;
      // 1 says that the grain is all zeroes.
      if (sector <= 1 || place >= into.size) continue;
      require((left -= header.grain) >= 0, 'its tables point to more grains than it has');
      await copyGrain(bytes, writer, sector * vmdkSector, place, Math.min(header.grain, into.size - place));
    }
  }
  await writer.drain();
}
async function copyGrain(
  bytes: (at: number, count: number, what: string) => Promise<Buffer>,
  writer: DiskWriter,
  at: number,
  place: number,
  length: number,
): Promise<void> {
  for (let done = 0; done < length; done += pieceSize) {
    const now = Math.min(pieceSize, length - done);
    await writer.put(place + done, await bytes(at + done, now, `the grain of byte ${place}`));
  }
}
async function bytesAt(file: Spool, length: number, at: number, count: number, what: string): Promise<Buffer> {
  const data = Buffer.alloc(count);
  const { bytesRead } = await file.read(data, 0, count, at);
  // The last grain of a file may end where the disk does.
  if (bytesRead < count) require(at + bytesRead === length && bytesRead > 0, `${what} is at ${at}, behind its end`);
  return data;
}

/** Grains that are packed at once. */
const packers = 8;

/** `stored`: nothing is packed, and so the length is known from the start. */
async function plan({ source, size, id }: From, stored: boolean): Promise<Plan> {
  const map = await allocated(source, size, vmdkGrain);
  const length = stored ? lengthOf(map) : null;
  return { length, segments: () => streamed(map, { source, size, id }, stored) };
}
function lengthOf(map: UnitMap): number {
  let sectors = vmdkOverhead + map.total * Math.ceil((grainHead + storedGrain) / vmdkSector);
  const table = 1 + (vmdkTable * 4) / vmdkSector;
  const tables = Math.ceil(map.count / vmdkTable);
  for (let i = 0; i < tables; i++) if (map.within(i * vmdkTable, (i + 1) * vmdkTable) > 0) sectors += table;
  sectors += 1 + Math.ceil((tables * 4) / vmdkSector) + 2 + 1;
  return sectors * vmdkSector;
}
async function* streamed(map: UnitMap, from: From, stored: boolean): AsyncGenerator<Segment> {
  const { size, id } = from;
  const out = new Places();
  yield out.passed(writeVmdkStart(size, id));
  const directory = Buffer.alloc(Math.ceil(map.count / vmdkTable) * 4);
  for (let i = 0; i * vmdkTable < map.count; i++) {
    const table = Buffer.alloc(vmdkTable * 4);
    let used = false;
    for await (const { unit, packed } of grains(map, from, stored, i * vmdkTable)) {
      table.writeUInt32LE(out.sector, (unit - i * vmdkTable) * 4);
      used = true;
      yield out.passed(writeGrain(unit * vmdkGrain, packed));
    }
    if (!used) continue;
    yield out.passed(writeMarker('table', table.length / vmdkSector));
    directory.writeUInt32LE(out.sector, i * 4);
    yield out.passed(table);
  }
  const sectors = Math.ceil(directory.length / vmdkSector);
  yield out.passed(writeMarker('directory', sectors));
  const directoryAt = out.sector;
  yield out.passed(Buffer.concat([directory], sectors * vmdkSector));
  yield out.passed(writeMarker('footer', 1));
  yield out.passed(writeVmdkHeader({ size, directory: directoryAt }));
  yield out.passed(writeMarker('end', 0));
}
/** Counts what was given, in sectors. */
class Places {
  sector = 0;
  passed(bytes: Buffer): Segment {
    this.sector += bytes.length / vmdkSector;
    return { bytes };
  }
}
/** The grains of a table, from `first` on, packed, in order, a few ahead. Those that are all zeroes are left out, if not `stored`. */
async function* grains(map: UnitMap, from: From, stored: boolean, first: number) {
  const ahead: Promise<{ unit: number; packed: Buffer | undefined }>[] = [];
  const shift = async () => (await ahead.shift()) as { unit: number; packed: Buffer | undefined };
  for (const unit of map.units(first, first + vmdkTable)) {
    const work = packedGrain(from, unit, stored).then((packed) => ({ unit, packed }));
    work.catch(() => undefined);
    ahead.push(work);
    if (ahead.length < packers) continue;
    const { unit: next, packed } = await shift();
    if (packed) yield { unit: next, packed };
  }
  while (ahead.length > 0) {
    const { unit, packed } = await shift();
    if (packed) yield { unit, packed };
  }
}
async function packedGrain({ source, size }: From, unit: number, stored: boolean): Promise<Buffer | undefined> {
  const at = unit * vmdkGrain;
  const there = Math.min(vmdkGrain, size - at);
  const data = await source.read(at, there);
  const whole = there === vmdkGrain ? data : Buffer.concat([data], vmdkGrain);
  if (stored) return storeGrain(whole);
  return isZero(data) ? undefined : pack(whole, { level: 1 });
}

export const vmdk: Format = { read, plan: (from) => plan(from, false), differences: false };
/** With grains that are not packed: quick, and of a length that is known, as members of archives need it. */
export const vmdkStored: Format = { ...vmdk, plan: (from) => plan(from, true) };
