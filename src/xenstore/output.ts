/**
 * Bytes that wait to be sent to one peer, in order, as one growing buffer: replies and events are written into it without an
 * allocation per frame. It knows where frames begin, so that it can count the unsent ones, and recognises an event that still
 * waits whole, so that the same event is not queued twice.
 */
import { headerSize, op, putLatin1, putU32, u32 } from '../wire/xenstore.ts';

const firstSize = 1024;
/** A buffer that grew beyond this is given back when it is empty. */
const keptSize = 64 * 1024;
/** Remembered events above which those that were sent are forgotten. */
const eventsRemembered = 256;

export class Output {
  #bytes = Buffer.allocUnsafeSlow(firstSize);
  #head = 0;
  #tail = 0;
  #frames = 0;
  /** Bytes of the first frame: all, and those that are still to be sent; 0 when nothing of it was sent. */
  #firstTotal = 0;
  #firstLeft = 0;
  /** Bytes that were ever sent. */
  #sent = 0;
  /** Waiting event → the position in the stream where it begins. */
  #events: Map<string, number> | undefined;

  /** Bytes that wait. */
  get length(): number {
    return this.#tail - this.#head;
  }
  /** Frames of which something waits. */
  get frames(): number {
    return this.#frames;
  }
  /** Bytes that were ever sent. */
  get sent(): number {
    return this.#sent;
  }
  /** Bytes that wait of a frame whose beginning was sent already; 0 between frames. */
  get unfinished(): number {
    return this.#firstLeft;
  }
  /** What waits, as one piece; valid until something is added, consumed or taken. */
  peek(): Buffer {
    return this.#bytes.subarray(this.#head, this.#tail);
  }
  /** Where the first waiting byte is in `bytes`. */
  get head(): number {
    return this.#head;
  }
  /** Copies up to `max` waiting bytes, from the one after `skip` on, to `target` at `at`; answers how many. They go on waiting. */
  copyTo(target: Uint8Array, at: number, max: number, skip = 0): number {
    const n = Math.min(max, this.length - skip);
    if (n <= 0) return 0;
    target.set(this.#bytes.subarray(this.#head + skip, this.#head + skip + n), at);
    return n;
  }
  /** The first `n` waiting bytes were sent. */
  consume(n: number): void {
    this.#sent += n;
    let left = n;
    if (n >= this.length) {
      this.#empty();
      left = 0;
    }
    while (left > 0) {
      if (this.#firstLeft === 0) {
        this.#firstTotal = headerSize + u32(this.#bytes, this.#head + 12);
        this.#firstLeft = this.#firstTotal;
      }
      const step = Math.min(left, this.#firstLeft);
      this.#head += step;
      this.#firstLeft -= step;
      left -= step;
      if (this.#firstLeft === 0) this.#frames--;
    }
  }
  /** Everything that waits, as the caller's own buffer; it counts as sent. */
  take(): Buffer {
    const all = this.peek();
    this.#bytes = Buffer.allocUnsafeSlow(firstSize);
    this.#sent += all.length;
    this.#empty();
    return all;
  }
  /** Forgets what waits whole; a frame that was begun is still finished. */
  reset(): void {
    this.#tail = this.#head + this.#firstLeft;
    this.#frames = this.#firstLeft > 0 ? 1 : 0;
    this.#events = undefined;
  }
  /** Takes over what a predecessor left; the first `unfinished` bytes belong to a frame that was begun. */
  restore(bytes: Uint8Array, unfinished: number): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#tail);
    this.#tail += bytes.length;
    this.#firstLeft = unfinished;
    this.#firstTotal = unfinished;
    this.#frames = unfinished > 0 ? 1 : 0;
    for (let at = unfinished; at < bytes.length; at += headerSize + u32(bytes, at + 12)) this.#frames++;
  }

  /** Begins a frame of `length` payload bytes, which the caller fills in at the answered offset of `bytes`. */
  frame(type: number, requestId: number, transactionId: number, length: number): number {
    this.#reserve(headerSize + length);
    const bytes = this.#bytes;
    const at = this.#tail;
    putU32(bytes, at, type);
    putU32(bytes, at + 4, requestId);
    putU32(bytes, at + 8, transactionId);
    putU32(bytes, at + 12, length);
    this.#tail = at + headerSize + length;
    this.#frames++;
    return at + headerSize;
  }
  /** Where frames are written and wait: valid until the next `frame`. */
  get bytes(): Buffer {
    return this.#bytes;
  }
  /** A frame whose payload is `text`, one byte per character. */
  text(type: number, requestId: number, transactionId: number, text: string): void {
    const at = this.frame(type, requestId, transactionId, text.length);
    putLatin1(this.#bytes, at, text);
  }
  /** The answer without data: `OK`. */
  ok(type: number, requestId: number, transactionId: number): void {
    const at = this.frame(type, requestId, transactionId, 3);
    const bytes = this.#bytes;
    bytes[at] = 0x4f;
    bytes[at + 1] = 0x4b;
    bytes[at + 2] = 0;
  }
  /** A watch event, whose payload is `text`; false when the same one still waits whole and `merge` says that one is enough. */
  event(text: string, merge: boolean): boolean {
    if (merge) {
      this.#events ??= new Map();
      const begins = this.#events.get(text);
      if (begins !== undefined && begins >= this.#sent) return false;
      if (this.#events.size >= eventsRemembered) this.#forgetSent();
      this.#events.set(text, this.#sent + this.length);
    }
    this.text(op.watchEvent, 0, 0, text);
    return true;
  }

  #forgetSent(): void {
    for (const [event, begins] of this.#events ?? []) if (begins < this.#sent) this.#events?.delete(event);
  }
  #empty(): void {
    this.#head = this.#tail = this.#frames = this.#firstLeft = 0;
    this.#events = undefined;
    if (this.#bytes.length > keptSize) this.#bytes = Buffer.allocUnsafeSlow(firstSize);
  }
  #reserve(n: number): void {
    if (this.#tail + n <= this.#bytes.length) return;
    const waiting = this.length;
    if (waiting + n <= this.#bytes.length / 2) {
      this.#bytes.copyWithin(0, this.#head, this.#tail);
    } else {
      const bigger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, waiting + n));
      this.#bytes.copy(bigger, 0, this.#head, this.#tail);
      this.#bytes = bigger;
    }
    this.#head = 0;
    this.#tail = waiting;
  }
}

/**
 * How many bytes at the beginning of a stream's rest belong to a frame that was begun: `bytes` waited, of which the first `unfinished` were
 * of such a frame, and `sent` of them are gone.
 */
export function leftOfFrame(bytes: Uint8Array, unfinished: number, sent: number): number {
  let end = unfinished;
  while (end < sent && end + headerSize <= bytes.length) end += headerSize + u32(bytes, end + 12);
  return sent === 0 ? unfinished : Math.max(0, end - sent);
}
