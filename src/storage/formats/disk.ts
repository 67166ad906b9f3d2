/** What codecs read disks from and write them to: an NBD export, or anything like it in tests. */
import type { Extent } from '../nbd.ts';

export interface DiskSource {
  /** Bytes, not less than the disk. */
  readonly size: number;
  read(offset: number, length: number): Promise<Buffer>;
  /** What is known from `offset` on, one extent at least; it may cover less than `length`, or reach a little further. */
  blockStatus(offset: number, length: number): Promise<readonly Extent[]>;
  /** Names the place where all these bytes lie in one piece, if it is known: where two disks name the same they are the same. */
  place?(offset: number, length: number): string | undefined;
}
export interface DiskTarget {
  /** `data` must stay as it is until the answer. */
  write(offset: number, data: Buffer): Promise<void>;
  writeZeroes(offset: number, length: number): Promise<void>;
}

/** Bytes of one request. */
export const pieceSize = 256 << 10;
/** Requests at once: together they bound what is held in memory. */
export const inFlight = 16;
/** Zeroes are looked for in units of this. */
export const zeroUnit = 64 << 10;
/** How far one block status may reach. */
const statusSpan = 1 << 30;

export const zeroes = Buffer.alloc(pieceSize);
/** `data` is at most one piece. */
export const isZero = (data: Buffer): boolean => data.equals(zeroes.subarray(0, data.length));

/** The extents of the first `length` bytes, in order, without gaps. */
export async function* extentsOf(
  source: DiskSource,
  length: number,
): AsyncGenerator<{ at: number; length: number; zero: boolean }> {
  for (let at = 0; at < length; ) {
    for (const extent of await source.blockStatus(at, Math.min(statusSpan, source.size - at))) {
      const taken = Math.min(extent.length, length - at);
      if (taken <= 0) return;
      yield { at, length: taken, zero: extent.zero };
      at += taken;
    }
  }
}
