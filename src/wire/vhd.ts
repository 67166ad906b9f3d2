/**
 * The structures of VHD files (Microsoft, "Virtual Hard Disk Image Format Specification", 2006), big-endian.
 *
 *     fixed      content · footer
 *     dynamic    footer · header · block table · { sector bitmap · block }… · footer
 *
 * A block of the table that is not there reads as zeroes; in a differencing disk, whose header names its parent, it reads as the
 * parent. So does a sector whose bit in its block's bitmap is clear.
 */
import { FormatError, require } from './format-error.ts';

export const vhdSector = 512;
export const vhdHeaderSize = 1024;
export const vhdBlockSize = 2 << 20;
/** Entry of the table for a block that is not there. */
export const vhdAbsent = 0xffffffff;
/** Bytes: more does not fit the table's sector numbers. */
export const vhdLargest = 2040 * 2 ** 30;

const kinds = { fixed: 2, dynamic: 3, differencing: 4 } as const;
export type VhdKind = keyof typeof kinds;
export interface VhdFooter {
  readonly kind: VhdKind;
  /** Bytes that are seen through it, exactly. */
  readonly size: number;
  /** 16 bytes as a UUID in lower case. */
  readonly id: string;
  /** Where the header is; of no meaning in a fixed disk. */
  readonly headerAt: number;
}
export interface VhdHeader {
  readonly tableAt: number;
  readonly entries: number;
  readonly blockSize: number;
  readonly parent: string;
}

const footerCookie = 'conectix';
const headerCookie = 'cxsparse';
const none = 0xffffffffffffffffn;

/** The one's complement of the sum of all bytes, those of the checksum itself left out. */
function checksum(bytes: Buffer, at: number): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) if (i < at || i >= at + 4) sum += bytes[i] as number;
  return ~sum >>> 0;
}
/** Cylinders, heads and sectors by the formula of the specification: old systems look at them, sizes are not taken from them. */
export function vhdGeometry(size: number): { cylinders: number; heads: number; sectors: number } {
  const total = Math.min(Math.floor(size / vhdSector), 65535 * 16 * 255);
  if (total >= 65535 * 16 * 63) return { cylinders: Math.floor(total / 255 / 16), heads: 16, sectors: 255 };
  let sectors = 17;
  let tracks = Math.floor(total / sectors);
  let heads = Math.max(4, Math.floor((tracks + 1023) / 1024));
  if (tracks >= heads * 1024 || heads > 16) {
    sectors = 31;
    heads = 16;
    tracks = Math.floor(total / sectors);
  }
  if (tracks >= heads * 1024) {
    sectors = 63;
    heads = 16;
    tracks = Math.floor(total / sectors);
  }
  return { cylinders: Math.floor(tracks / heads), heads, sectors };
}
const idBytes = (id: string): Buffer => Buffer.from(id.replaceAll('-', ''), 'hex');
const idText = (bytes: Buffer): string =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** 512 bytes. The time of making is left at 0 (the year 2000), so that the same disk gives the same bytes. */
export function writeFooter({ kind, size, id }: Omit<VhdFooter, 'headerAt'>): Buffer {
  const b = Buffer.alloc(vhdSector);
  b.write(footerCookie, 0, 'latin1');
  b.writeUInt32BE(2, 8);
  b.writeUInt32BE(0x10000, 12);
  b.writeBigUInt64BE(kind === 'fixed' ? none : BigInt(vhdSector), 16);
  // The maker by whose name QEMU, too, takes the size from the footer and not from the geometry.
  b.write('tap\0', 28, 'latin1');
  b.writeUInt32BE(0x10003, 32);
  b.writeBigUInt64BE(BigInt(size), 40);
  b.writeBigUInt64BE(BigInt(size), 48);
  const { cylinders, heads, sectors } = vhdGeometry(size);
  b.writeUInt16BE(cylinders, 56);
  b.writeUInt8(heads, 58);
  b.writeUInt8(sectors, 59);
  b.writeUInt32BE(kinds[kind], 60);
  idBytes(id).copy(b, 68);
  b.writeUInt32BE(checksum(b, 64), 64);
  return b;
}
export const isFooter = (b: Buffer): boolean => b.length >= vhdSector && b.toString('latin1', 0, 8) === footerCookie;

export function readFooter(b: Buffer): VhdFooter {
  require(isFooter(b), 'there is no footer where one must be');
  const footer = b.subarray(0, vhdSector);
  require(footer.readUInt32BE(64) === checksum(footer, 64), 'the checksum of the footer is wrong');
  const version = footer.readUInt32BE(12);
  require(version >>> 16 === 1, `version ${version >>> 16}.${version & 0xffff} is not known; 1.0 is`);
  const number = footer.readUInt32BE(60);
  const kind = (Object.keys(kinds) as VhdKind[]).find((k) => kinds[k] === number);
  if (!kind) throw new FormatError(`the type of disk ${number} is not known`);
  const size = footer.readBigUInt64BE(48);
  require(size > 0n && size <= BigInt(vhdLargest), `its size of ${size} bytes is not between 1 and ${vhdLargest}`);
  const headerAt = footer.readBigUInt64BE(16);
  if (kind !== 'fixed') require(headerAt >= 512n && headerAt < 1n << 40n, `it says that its header is at ${headerAt}`);
  return { kind, size: Number(size), id: idText(footer.subarray(68, 84)), headerAt: Number(headerAt % (1n << 53n)) };
}

export interface NewHeader {
  readonly tableAt: number;
  readonly entries: number;
  /** The UUID of the disk that a differencing one lies on. */
  readonly parent?: string;
}
/** 1,024 bytes; blocks of 2 MiB. A parent is named by its UUID with the ending `.vhd`. */
export function writeHeader({ tableAt, entries, parent }: NewHeader): Buffer {
  const b = Buffer.alloc(vhdHeaderSize);
  b.write(headerCookie, 0, 'latin1');
  b.writeBigUInt64BE(none, 8);
  b.writeBigUInt64BE(BigInt(tableAt), 16);
  b.writeUInt32BE(0x10000, 24);
  b.writeUInt32BE(entries, 28);
  b.writeUInt32BE(vhdBlockSize, 32);
  if (parent !== undefined) {
    idBytes(parent).copy(b, 40);
    Buffer.from(`${parent}.vhd`, 'utf16le').swap16().copy(b, 64);
  }
  b.writeUInt32BE(checksum(b, 36), 36);
  return b;
}
export function readHeader(b: Buffer, size: number): VhdHeader {
  require(b.toString('latin1', 0, 8) === headerCookie, 'there is no header where the footer says');
  require(b.readUInt32BE(36) === checksum(b, 36), 'the checksum of the header is wrong');
  const tableAt = b.readBigUInt64BE(16);
  const entries = b.readUInt32BE(28);
  const blockSize = b.readUInt32BE(32);
  const powerOfTwo = (blockSize & (blockSize - 1)) === 0;
  require(powerOfTwo &&
    blockSize >= 512 << 10 &&
    blockSize <= 64 << 20, `blocks of ${blockSize} bytes are not possible`);
  require(tableAt >= 512n && tableAt < 1n << 40n, `it says that its table is at ${tableAt}`);
  const needed = Math.ceil(size / blockSize);
  require(entries >= needed, `its table has ${entries} entries, ${needed} are needed`);
  return { tableAt: Number(tableAt), entries, blockSize, parent: idText(b.subarray(40, 56)) };
}
/** Bytes of the sector bitmap before a block, whole sectors. */
export const bitmapSize = (blockSize: number): number => Math.ceil(blockSize / vhdSector / 8 / vhdSector) * vhdSector;
