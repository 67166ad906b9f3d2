/**
 * The page that a guest and the store share: two rings of 1024 bytes, requests and replies, with free-running u32 indices.
 *
 *     0     request ring, guest → store        2048 req_cons   (store)      2064 server_features (store)
 *     1024  reply ring, store → guest          2052 req_prod   (guest)      2068 connection      (both)
 *                                              2056 rsp_cons   (guest)      2072 error           (store)
 *                                              2060 rsp_prod   (store)      2076 evtchn_port     (toolstack)
 *
 * The guest may write any of it at any time. So each index is read once into a local and never again for the same step, distances
 * are u32 arithmetic, bytes are copied out before they are looked at, and nothing here depends on what the page held earlier: a
 * guest (firmware does) may clear the page and start again at zero.
 */

export const ringSize = 1024;
const mask = ringSize - 1;

const requestConsumer = 512;
const requestProducer = 513;
const replyConsumer = 514;
const replyProducer = 515;
const serverFeatures = 516;
const connection = 517;
const error = 518;
const eventChannelPort = 519;

/** What the `error` field may say. */
export const ringError = { none: 0, communication: 1, badIndex: 2, protocol: 3 } as const;
/** What `connection` says: served, or the guest asks to begin again. */
export const connectionState = { connected: 0, reconnecting: 1 } as const;

/** Where replies come from: the connection's output, or a piece of bytes. */
export interface ReplySource {
  readonly length: number;
  /** Copies up to `max` bytes from `skip` on to `target` at `at`; answers how many. */
  copyTo(target: Uint8Array, at: number, max: number, skip?: number): number;
  /** `bytes` of it were sent. */
  consume(bytes: number): void;
}

/** The indices as they stand; for logs, and to go on where a predecessor stopped. */
export interface RingIndices {
  readonly requestConsumer: number;
  readonly requestProducer: number;
  readonly replyConsumer: number;
  readonly replyProducer: number;
}

export class RingPage {
  #u32: Uint32Array;
  #bytes: Uint8Array;
  #consumer = 0;
  /** Where the last reply ended; undefined before the first. */
  #replied: number | undefined;
  /** The request bytes that `peek` copied; valid until the next. */
  readonly requests = Buffer.allocUnsafeSlow(ringSize);

  /** `memory` is the page, 4096 bytes; `detach` before it is unmapped. */
  constructor(memory: ArrayBuffer) {
    this.#u32 = new Uint32Array(memory);
    this.#bytes = new Uint8Array(memory);
  }

  /**
   * Copies the requests after the first `skip` bytes, which an earlier `peek` gave, into `requests` and answers how many bytes.
   * All of them stay in the ring until `consume`. -1 when the guest's indices cannot be: nothing was copied.
   */
  peek(skip = 0): number {
    const consumer = Atomics.load(this.#u32, requestConsumer);
    const waiting = (Atomics.load(this.#u32, requestProducer) - consumer) >>> 0;
    if (waiting > ringSize || waiting < skip) return -1;
    this.#consumer = consumer;
    const count = waiting - skip;
    if (count === 0) return 0;
    const at = (consumer + skip) & mask;
    const first = Math.min(count, ringSize - at);
    this.requests.set(this.#bytes.subarray(at, at + first), 0);
    if (count > first) this.requests.set(this.#bytes.subarray(0, count - first), first);
    return count;
  }
  /** Gives the first `count` bytes that `peek` gave back to the guest as room. */
  consume(count: number): void {
    this.#consumer = (this.#consumer + count) >>> 0;
    Atomics.store(this.#u32, requestConsumer, this.#consumer);
  }
  /** Whether the guest has put requests that were not consumed, or broken its indices. */
  get waiting(): boolean {
    return Atomics.load(this.#u32, requestProducer) !== Atomics.load(this.#u32, requestConsumer);
  }

  /** Sends as much of `source` as there is room for; answers how many bytes, or -1 when the guest's indices cannot be. */
  put(source: ReplySource): number {
    const consumer = Atomics.load(this.#u32, replyConsumer);
    const producer = Atomics.load(this.#u32, replyProducer);
    const used = (producer - consumer) >>> 0;
    if (used > ringSize) return -1;
    const count = Math.min(source.length, ringSize - used);
    if (count === 0) return 0;
    const at = producer & mask;
    const first = Math.min(count, ringSize - at);
    source.copyTo(this.#bytes, ringSize + at, first);
    if (count > first) source.copyTo(this.#bytes, ringSize, count - first, first);
    this.#replied = (producer + count) >>> 0;
    Atomics.store(this.#u32, replyProducer, this.#replied);
    source.consume(count);
    return count;
  }

  /** The guest asks that the connection begins again (it lost its own state, and waits for an answer). */
  get reconnecting(): boolean {
    return Atomics.load(this.#u32, connection) === connectionState.reconnecting;
  }
  /** Answers that: the rings are empty, and the guest may go on. Notify afterwards. */
  restart(): void {
    this.#replied = undefined;
    for (const index of [requestConsumer, requestProducer, replyConsumer, replyProducer])
      Atomics.store(this.#u32, index, 0);
    this.connected();
  }
  connected(): void {
    Atomics.store(this.#u32, connection, connectionState.connected);
  }
  offer(features: number): void {
    Atomics.store(this.#u32, serverFeatures, features);
  }
  fail(why: number): void {
    Atomics.store(this.#u32, error, why);
  }
  /** The event channel that whoever built the domain wrote down; 0 for none. */
  get port(): number {
    return Atomics.load(this.#u32, eventChannelPort);
  }
  /** Whether the guest has cleared the page since the last reply, so that the next one begins a new stream. */
  get cleared(): boolean {
    return this.#replied !== undefined && Atomics.load(this.#u32, replyProducer) !== this.#replied;
  }
  /** Bytes of replies that there is room for; 0 when the guest's indices cannot be. */
  get room(): number {
    const used = (Atomics.load(this.#u32, replyProducer) - Atomics.load(this.#u32, replyConsumer)) >>> 0;
    return used > ringSize ? 0 : ringSize - used;
  }
  get indices(): RingIndices {
    return {
      requestConsumer: Atomics.load(this.#u32, requestConsumer),
      requestProducer: Atomics.load(this.#u32, requestProducer),
      replyConsumer: Atomics.load(this.#u32, replyConsumer),
      replyProducer: Atomics.load(this.#u32, replyProducer),
    };
  }
  /** Goes on where a predecessor stopped that was killed between an answer and moving the index past its request. */
  resumeAt(consumer: number): void {
    Atomics.store(this.#u32, requestConsumer, consumer >>> 0);
  }
  /** Lets go of the memory: what is called afterwards sees an empty page instead of ending the process. */
  detach(): void {
    this.#u32 = new Uint32Array(1024);
    this.#bytes = new Uint8Array(4096);
  }
}
