/** Which units of a disk hold data: a bit each. */
import { type DiskSource, extentsOf } from './disk.ts';

export class UnitMap {
  readonly unit: number;
  /** How many units the disk has; the last may be shorter. */
  readonly count: number;
  readonly #bits: Uint8Array;
  #total = 0;

  constructor(size: number, unit: number) {
    this.unit = unit;
    this.count = Math.ceil(size / unit);
    this.#bits = new Uint8Array(Math.ceil(this.count / 8));
  }
  has(index: number): boolean {
    return ((this.#bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }
  /** Answers whether it was not there before. */
  add(index: number): boolean {
    if (this.has(index)) return false;
    (this.#bits[index >> 3] as number) |= 1 << (index & 7);
    this.#total++;
    return true;
  }
  /** Every unit that the bytes touch. */
  addRange(at: number, length: number): void {
    for (let i = Math.floor(at / this.unit); i * this.unit < at + length; i++) this.add(i);
  }
  /** How many hold data. */
  get total(): number {
    return this.#total;
  }
  /** How many of the units `from` ≤ i < `to` hold data. */
  within(from: number, to: number): number {
    let found = 0;
    for (let i = from; i < Math.min(to, this.count); i++) if (this.has(i)) found++;
    return found;
  }
  /** Those that hold data, in order. */
  *units(from = 0, to = this.count): Generator<number> {
    for (let i = from; i < Math.min(to, this.count); i++) {
      if ((i & 7) === 0 && this.#bits[i >> 3] === 0) i += 7;
      else if (this.has(i)) yield i;
    }
  }
}

/** The units of the first `size` bytes that do not read as zeroes, as far as the source knows without reading. */
export async function allocated(source: DiskSource, size: number, unit: number): Promise<UnitMap> {
  const map = new UnitMap(size, unit);
  for await (const { at, length, zero } of extentsOf(source, size)) if (!zero) map.addRange(at, length);
  return map;
}
