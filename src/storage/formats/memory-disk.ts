/** A disk in memory, for tests of codecs. */
import type { Extent } from '../nbd.ts';
import { type DiskSource, type DiskTarget, isZero } from './disk.ts';

const unit = 4096;

export class MemoryDisk implements DiskSource, DiskTarget {
  readonly bytes: Buffer;
  constructor(size: number, content?: Buffer) {
    this.bytes = Buffer.alloc(size);
    content?.copy(this.bytes);
  }
  get size(): number {
    return this.bytes.length;
  }
  async read(offset: number, length: number): Promise<Buffer> {
    if (offset + length > this.size) throw new RangeError(`read of ${length} at ${offset} of ${this.size}`);
    return Buffer.from(this.bytes.subarray(offset, offset + length));
  }
  async write(offset: number, data: Buffer): Promise<void> {
    if (offset < 0 || offset + data.length > this.size)
      throw new RangeError(`write of ${data.length} at ${offset} of ${this.size}`);
    data.copy(this.bytes, offset);
  }
  async writeZeroes(offset: number, length: number): Promise<void> {
    await this.write(offset, Buffer.alloc(length));
  }
  async blockStatus(offset: number, length: number): Promise<readonly Extent[]> {
    const extents: { length: number; zero: boolean }[] = [];
    for (let at = offset; at < offset + length; at += unit) {
      const now = Math.min(unit, offset + length - at);
      const zero = isZero(this.bytes.subarray(at, at + now));
      const last = extents.at(-1);
      if (last?.zero === zero) last.length += now;
      else extents.push({ length: now, zero });
    }
    return extents;
  }
}
