/** Takes a stream apart: exact numbers of bytes, or what comes. */
import { FormatError } from './format-error.ts';

export class StreamReader {
  readonly #source: AsyncIterator<Buffer>;
  readonly #onBytes: (total: number) => void;
  #rest: Buffer = Buffer.alloc(0);
  #arrived = 0;
  #ended = false;

  /** `onBytes` hears how many bytes have arrived. */
  constructor(source: AsyncIterable<Buffer>, onBytes: (total: number) => void = () => undefined) {
    this.#source = source[Symbol.asyncIterator]();
    this.#onBytes = onBytes;
  }
  /** How many bytes were taken. */
  get position(): number {
    return this.#arrived - this.#rest.length;
  }
  /** The next bytes, one at least and `most` at most; undefined at the end of the stream. */
  async some(most: number): Promise<Buffer | undefined> {
    if (!(await this.#fill())) return undefined;
    const piece = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }
  /** Up to `length` bytes: fewer only at the end of the stream. A copy. */
  async upTo(length: number): Promise<Buffer> {
    if (this.#rest.length >= length) {
      const piece = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      return piece;
    }
    const whole = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const piece = await this.some(length - filled);
      if (!piece) break;
      filled += piece.copy(whole, filled);
    }
    return whole.subarray(0, filled);
  }
  /** Exactly `length` bytes; a stream that ends before is a FormatError that names `what`. */
  async take(length: number, what: string): Promise<Buffer> {
    const piece = await this.upTo(length);
    if (piece.length < length) throw new FormatError(`it ends at byte ${this.#arrived}, within ${what}`);
    return piece;
  }
  /** Passes `length` bytes over. */
  async skip(length: number, what: string): Promise<void> {
    for (let left = length; left > 0; ) {
      const piece = await this.some(left);
      if (!piece) throw new FormatError(`it ends at byte ${this.#arrived}, within ${what}`);
      left -= piece.length;
    }
  }
  /** The next bytes without taking them: fewer than `length` only at the end of the stream. */
  async peek(length: number): Promise<Buffer> {
    const seen = await this.upTo(length);
    this.#rest = this.#rest.length === 0 ? seen : Buffer.concat([seen, this.#rest]);
    return seen;
  }
  /** Takes the rest; answers its last `keep` bytes. */
  async tail(keep: number): Promise<Buffer> {
    let last: Buffer = Buffer.alloc(0);
    for (let piece = await this.some(1 << 20); piece; piece = await this.some(1 << 20))
      last = piece.length >= keep ? piece.subarray(-keep) : Buffer.concat([last, piece]).subarray(-keep);
    return Buffer.from(last);
  }
  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0 && !this.#ended) {
      const next = await this.#source.next();
      if (next.done) this.#ended = true;
      else {
        this.#rest = next.value;
        this.#arrived += next.value.length;
        this.#onBytes(this.#arrived);
      }
    }
    return this.#rest.length > 0;
  }
}
