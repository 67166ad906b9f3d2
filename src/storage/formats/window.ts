/** A bounded number of pieces of work at once. */
import { type DiskTarget, inFlight, isZero, pieceSize, zeroUnit } from './disk.ts';

/** The first failure comes out of `add` or `drain`. */
export class Window {
  readonly #running = new Set<Promise<void>>();
  #failure: { error: unknown } | undefined;

  async add(work: Promise<void>): Promise<void> {
    const entry = work
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(entry));
    this.#running.add(entry);
    if (this.#running.size >= inFlight) await Promise.race(this.#running);
    if (this.#failure) throw this.#failure.error;
  }
  async drain(): Promise<void> {
    await Promise.all(this.#running);
    if (this.#failure) throw this.#failure.error;
  }
}

/** Writes content at any places of a disk; runs of zeroes are left out where the disk `isEmpty`, else written as holes. */
export class DiskWriter {
  readonly #target: DiskTarget;
  readonly #isEmpty: boolean;
  readonly #writes = new Window();

  constructor(target: DiskTarget, isEmpty: boolean) {
    this.#target = target;
    this.#isEmpty = isEmpty;
  }
  /** `data`, which must stay as it is, at `offset`. */
  async put(offset: number, data: Buffer): Promise<void> {
    for (let at = 0; at < data.length; at += pieceSize)
      await this.#piece(offset + at, data.subarray(at, at + pieceSize));
  }
  async #piece(offset: number, data: Buffer): Promise<void> {
    for (let at = 0; at < data.length; ) {
      const zero = isZero(data.subarray(at, at + zeroUnit));
      let end = at + zeroUnit;
      while (end < data.length && isZero(data.subarray(end, end + zeroUnit)) === zero) end += zeroUnit;
      end = Math.min(end, data.length);
      if (!zero) await this.#writes.add(this.#target.write(offset + at, data.subarray(at, end)));
      else await this.zero(offset + at, end - at);
      at = end;
    }
  }
  async zero(offset: number, length: number): Promise<void> {
    const span = 1 << 30;
    if (!this.#isEmpty)
      for (let at = 0; at < length; at += span)
        await this.#writes.add(this.#target.writeZeroes(offset + at, Math.min(span, length - at)));
  }
  /** Everything was written; nothing is flushed. */
  drain(): Promise<void> {
    return this.#writes.drain();
  }
}
