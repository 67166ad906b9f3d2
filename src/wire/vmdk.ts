/**
 * The structures of VMDK files that are one sparse extent (VMware, "Virtual Disk Format 5.0"), little-endian; places and sizes in them
 * are in sectors of 512 bytes.
 *
 *     sparse            header · descriptor · grain directory ─▶ grain tables ─▶ grains
 *     stream-optimised  header · descriptor · { marker + deflated grain … · marker · grain table }… · marker · grain directory ·
 *                       marker · footer (the header once more) · end-of-stream marker
 *
 * Descriptors that name other files are refused: no file but the one that is sent is ever looked at.
 */
import { FormatError, require } from './format-error.ts';

export const vmdkSector = 512;
/** Sectors before the first marker of what we write. */
export const vmdkOverhead = 128;
export const vmdkGrain = 64 << 10;
/** Entries of a grain table. */
export const vmdkTable = 512;

export interface VmdkHeader {
  /** Bytes. */
  readonly size: number;
  readonly grain: number;
  readonly descriptor: { readonly at: number; readonly length: number };
  /** Bytes before the first grain or marker. */
  readonly overhead: number;
  readonly kind: 'sparse' | 'stream';
  /** Of a sparse one: byte of the directory. */
  readonly directoryAt: number;
}
const magic = 0x564d444b;
const atEnd = 0xffffffffffffffffn;
const flags = { newlines: 1, compressed: 1 << 16, markers: 1 << 17 } as const;

export const isVmdkText = (b: Buffer): boolean => /^\s*#\s*Disk DescriptorFile/i.test(b.toString('latin1', 0, 64));
export function readVmdkHeader(b: Buffer): VmdkHeader {
  require(!isVmdkText(
    b,
  ), 'it is a descriptor that names other files, which are not read: make one file of it with qemu-img convert -O vmdk -o subformat=streamOptimized');
  require(b.length >= vmdkSector && b.readUInt32LE(0) === magic, 'it does not begin as one');
  const version = b.readUInt32LE(4);
  require(version >= 1 && version <= 3, `version ${version} is not known; 1 to 3 are`);
  const bits = b.readUInt32LE(8);
  const compressed = (bits & flags.compressed) !== 0;
  require(compressed === ((bits & flags.markers) !== 0), 'grains that are compressed and not marked are not read');
  if (compressed) require(b.readUInt16LE(77) === 1, `its compression ${b.readUInt16LE(77)} is not known`);
  const sectors = (at: number, what: string, most: bigint): number => {
    const n = b.readBigUInt64LE(at);
    require(n <= most, `${what} of ${n} sectors is not possible`);
    return Number(n) * vmdkSector;
  };
  const size = sectors(12, 'a capacity', 1n << 37n);
  require(size > 0, 'its capacity is nothing');
  const grain = sectors(20, 'a grain', 2048n);
  require(grain >= 4096 && (grain & (grain - 1)) === 0, `grains of ${grain} bytes are not possible`);
  require(b.readUInt32LE(44) === vmdkTable, `tables of ${b.readUInt32LE(44)} entries are not read; ${vmdkTable} are`);
  const descriptor = {
    at: sectors(28, 'the place of a descriptor', 1n << 20n),
    length: sectors(36, 'a descriptor', 128n),
  };
  const directory = b.readBigUInt64LE(56);
  require(compressed || directory !== atEnd, 'its directory is at its end, and its grains are not marked');
  return {
    ...{ size, grain, descriptor },
    kind: compressed ? 'stream' : 'sparse',
    overhead: sectors(64, 'an overhead', 1n << 26n),
    directoryAt: compressed ? 0 : sectors(56, 'the place of a directory', 1n << 37n),
  };
}
/** Refuses a descriptor by which the disk lies on another, or is spread over other files. */
export function checkDescriptor(text: string): void {
  const value = (key: string) => new RegExp(`^\\s*${key}\\s*=\\s*"?([^"\\r\\n]*)`, 'im').exec(text)?.[1]?.trim();
  const parent = value('parentCID');
  if (parent !== undefined && !/^f{8}$/i.test(parent))
    throw new FormatError('it lies on another disk, which is not read: export it from a machine without snapshots');
  const extents = [...text.matchAll(/^\s*(?:RW|RDONLY|NOACCESS)\s+\d+\s+(\w+)\s*(?:"([^"\r\n]*)")?/gim)];
  require(extents.length <= 1, `it is spread over ${extents.length} files, which are not read`);
  const [, kind = 'SPARSE', file = ''] = extents[0] ?? [];
  require(kind.toUpperCase() === 'SPARSE', `its content is in ${JSON.stringify(file)}, which is not read`);
}

export interface NewVmdk {
  readonly size: number;
  /** Sector of the directory, in the footer; the header does not know it. */
  readonly directory?: number;
}
const descriptorSectors = 20;
export function writeVmdkHeader({ size, directory }: NewVmdk): Buffer {
  const b = Buffer.alloc(vmdkSector);
  b.writeUInt32LE(magic, 0);
  b.writeUInt32LE(3, 4);
  b.writeUInt32LE(flags.newlines | flags.compressed | flags.markers, 8);
  b.writeBigUInt64LE(BigInt(Math.ceil(size / vmdkSector)), 12);
  b.writeBigUInt64LE(BigInt(vmdkGrain / vmdkSector), 20);
  b.writeBigUInt64LE(1n, 28);
  b.writeBigUInt64LE(BigInt(descriptorSectors), 36);
  b.writeUInt32LE(vmdkTable, 44);
  b.writeBigUInt64LE(directory === undefined ? atEnd : BigInt(directory), 56);
  b.writeBigUInt64LE(BigInt(vmdkOverhead), 64);
  b.write('\n \r\n', 73, 'latin1');
  b.writeUInt16LE(1, 77);
  return b;
}
/** Header, descriptor and what is empty before the first marker. `id`: the UUID of the disk, of which the content id is made. */
export function writeVmdkStart(size: number, id: string): Buffer {
  const b = Buffer.alloc(vmdkOverhead * vmdkSector);
  writeVmdkHeader({ size }).copy(b);
  const sectors = Math.ceil(size / vmdkSector);
  const cylinders = Math.min(65535, Math.max(1, Math.floor(sectors / 255 / 63)));
  const lines = [
    '# Disk DescriptorFile',
    'version=1',
    `CID=${id.slice(0, 8)}`,
    'parentCID=ffffffff',
    'createType="streamOptimized"',
    '',
    '# Extent description',
    `RW ${sectors} SPARSE "${id}.vmdk"`,
    '',
    '# The Disk Data Base',
    'ddb.virtualHWVersion = "7"',
    `ddb.geometry.cylinders = "${cylinders}"`,
    'ddb.geometry.heads = "255"',
    'ddb.geometry.sectors = "63"',
    'ddb.adapterType = "lsilogic"',
    '',
  ];
  b.write(lines.join('\n'), vmdkSector, 'latin1');
  return b;
}

const markers = { end: 0, table: 1, directory: 2, footer: 3 } as const;
export type VmdkMarker =
  | {
      readonly kind: 'grain' /** Byte on the disk. */;
      readonly place: number /** Of what is packed. */;
      readonly length: number;
    }
  | { readonly kind: keyof typeof markers /** Bytes that follow. */; readonly length: number };
/** The head of a grain is 12 bytes long; other markers fill a sector. */
export const grainHead = 12;
export function readMarker(b: Buffer, { size, grain }: VmdkHeader): VmdkMarker {
  const value = b.readBigUInt64LE(0);
  const length = b.readUInt32LE(8);
  if (length > 0) {
    const place = value * BigInt(vmdkSector);
    require(place < BigInt(size) && place % BigInt(grain) === 0n, `a grain is said to be of sector ${value}`);
    require(length <= 2 * grain + 1024, `the grain of sector ${value} is ${length} bytes long`);
    return { kind: 'grain', place: Number(place), length };
  }
  const type = b.readUInt32LE(12);
  const kind = (Object.keys(markers) as (keyof typeof markers)[]).find((k) => markers[k] === type);
  if (kind === undefined) throw new FormatError(`a marker of type ${type} is not known`);
  require(value <= 1n << 24n, `a marker says that ${value} sectors follow`);
  return { kind, length: Number(value) * vmdkSector };
}
export function writeMarker(kind: keyof typeof markers, sectors: number): Buffer {
  const b = Buffer.alloc(vmdkSector);
  b.writeBigUInt64LE(BigInt(sectors), 0);
  b.writeUInt32LE(markers[kind], 12);
  return b;
}
/** Head and packed grain, filled up to whole sectors. */
export function writeGrain(place: number, packed: Buffer): Buffer {
  const b = Buffer.alloc(Math.ceil((grainHead + packed.length) / vmdkSector) * vmdkSector);
  b.writeBigUInt64LE(BigInt(place / vmdkSector), 0);
  b.writeUInt32LE(packed.length, 8);
  packed.copy(b, grainHead);
  return b;
}

/** A packed grain in which nothing is packed is always as long as this. */
export const storedGrain = 2 + 5 + 65535 + 5 + 1 + 4;
/** The bytes of a zlib stream of stored blocks, which zlib itself would cut differently from version to version. */
export function storeGrain(data: Buffer): Buffer {
  const b = Buffer.alloc(storedGrain);
  b.set([0x78, 0x01, 0, 0xff, 0xff, 0, 0], 0);
  data.copy(b, 7, 0, 65535);
  b.set([1, 1, 0, 0xfe, 0xff], 7 + 65535);
  data.copy(b, 12 + 65535, 65535, vmdkGrain);
  b.writeUInt32BE(adler32(data), storedGrain - 4);
  return b;
}
function adler32(data: Buffer): number {
  let a = 1;
  let b = 0;
  // Sums of this many bytes stay below 2^32.
  for (let at = 0; at < data.length; at += 5552) {
    const end = Math.min(at + 5552, data.length);
    for (let i = at; i < end; i++) {
      a += data[i] as number;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return b * 65536 + a;
}
