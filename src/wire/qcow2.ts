/**
 * The structures of qcow2 files (QEMU, docs/interop/qcow2.txt), big-endian, as far as a disk without snapshots of its own needs them.
 *
 *     header · L1 table ─▶ L2 tables ─▶ clusters;  refcount table ─▶ refcount blocks, 16 bits a cluster
 */
import { FormatError, require } from './format-error.ts';

export const qcow2HeaderSize = 104;
/** Of the files that we write. */
export const qcow2ClusterBits = 16;

export interface Qcow2Header {
  readonly size: number;
  readonly clusterBits: number;
  readonly l1At: number;
  readonly l1Entries: number;
  readonly compression: 'deflate' | 'zstd';
}
const magic = 0x514649fb;
/** Incompatible features: bits that a reader must know. Refcounts are of no concern here, so a file that is dirty is read. */
const dirty = 1n;
const compressionType = 8n;
const refused: readonly [bigint, string][] = [
  [2n, 'it is marked as corrupt: try qemu-img check -r all'],
  [4n, 'its data is in another file, which is not read'],
  [16n, 'its clusters have sub-clusters, which are not read here: write it anew with qemu-img convert -O qcow2'],
];

/** The first bytes of a file. A FormatError says why it is not read; no other file is ever looked at. */
export function readQcow2Header(b: Buffer): Qcow2Header {
  require(b.length >= 72 && b.readUInt32BE(0) === magic, 'it does not begin as one');
  const version = b.readUInt32BE(4);
  require(version === 2 || version === 3, `version ${version} is not known; 2 and 3 are`);
  const size = b.readBigUInt64BE(24);
  require(size > 0n && size <= 1n << 46n, `its size of ${size} bytes is not between 1 and ${2 ** 46}`);
  require(b.readBigUInt64BE(8) === 0n &&
    b.readUInt32BE(16) === 0, 'it lies on a backing file, which is not read: join the two with qemu-img convert');
  require(b.readUInt32BE(32) === 0, 'it is encrypted');
  const clusterBits = b.readUInt32BE(20);
  require(clusterBits >= 9 && clusterBits <= 21, `clusters of 2^${clusterBits} bytes are not possible`);
  let compression: Qcow2Header['compression'] = 'deflate';
  if (version === 3) {
    require(b.length >= qcow2HeaderSize, 'its header is cut short');
    const features = b.readBigUInt64BE(72);
    for (const [bit, why] of refused) require((features & bit) === 0n, why);
    require((features & ~(dirty | compressionType)) === 0n, `it has features that are not known: ${features}`);
    if (features & compressionType) {
      require(b.length > qcow2HeaderSize && b.readUInt32BE(100) >= 112, 'its header is cut short');
      if (b[104] === 1) compression = 'zstd';
      else require(b[104] === 0, `its compression ${b[104]} is not known`);
    }
  }
  const l1Entries = b.readUInt32BE(36);
  const needed = Math.ceil(Number(size) / 2 ** (2 * clusterBits - 3));
  require(l1Entries >= needed, `its first table has ${l1Entries} entries, ${needed} are needed`);
  require(needed <= 4 << 20, `its first table would have ${needed} entries`);
  const l1At = b.readBigUInt64BE(40);
  const aligned = l1At % (1n << BigInt(clusterBits)) === 0n;
  if (!aligned || l1At === 0n || l1At >= 1n << 52n) throw new FormatError(`it says that its first table is at ${l1At}`);
  return { size: Number(size), clusterBits, l1At: Number(l1At), l1Entries: needed, compression };
}

export interface NewQcow2 {
  readonly size: number;
  readonly l1At: number;
  readonly l1Entries: number;
  readonly refcountTableAt: number;
  readonly refcountTableClusters: number;
}
/** Version 3, no features. */
export function writeQcow2Header(a: NewQcow2): Buffer {
  const b = Buffer.alloc(112);
  b.writeUInt32BE(magic, 0);
  b.writeUInt32BE(3, 4);
  b.writeUInt32BE(qcow2ClusterBits, 20);
  b.writeBigUInt64BE(BigInt(a.size), 24);
  b.writeUInt32BE(a.l1Entries, 36);
  b.writeBigUInt64BE(BigInt(a.l1At), 40);
  b.writeBigUInt64BE(BigInt(a.refcountTableAt), 48);
  b.writeUInt32BE(a.refcountTableClusters, 56);
  b.writeUInt32BE(4, 96);
  b.writeUInt32BE(qcow2HeaderSize, 100);
  return b;
}

/** An entry of a table: the place of what it points to, its own refcount being 1. */
export const copied = (at: number): bigint => BigInt(at) | (1n << 63n);
/** What an entry of the second table says of a cluster. */
export type Cluster =
  | { readonly kind: 'zero' }
  | { readonly kind: 'data'; readonly at: number }
  | { readonly kind: 'compressed'; readonly at: number; readonly length: number };
const placeMask = 0x00fffffffffffe00n;
export const placeOfTable = (entry: bigint): number => Number(entry & placeMask);

export function clusterOf(entry: bigint, clusterBits: number): Cluster {
  if (entry & (1n << 62n)) {
    const shift = BigInt(62 - (clusterBits - 8));
    const at = Number(entry & ((1n << shift) - 1n));
    const sectors = Number((entry & ((1n << 62n) - 1n)) >> shift) + 1;
    return { kind: 'compressed', at, length: sectors * 512 - (at % 512) };
  }
  const at = placeOfTable(entry);
  return at === 0 || entry & 1n ? { kind: 'zero' } : { kind: 'data', at };
}
