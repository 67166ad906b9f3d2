/**
 * Reads one queue for one session, ahead of its transfers.
 *
 *     looking ──stream found──▶ following ──messages──▶ ready, until taken
 *        ▲  └─none: again in a second         │
 *        └────────────stream gone─────────────┘        stopped: from everywhere
 */
import { DeliverPolicy, type JetStreamClient, type JetStreamManager, type JsMsg } from '@nats-io/jetstream';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Delivered } from '../../contracts/switch.ts';
import { limits } from '../core.ts';
import { type Names, type Position, parseMessage } from './names.ts';
import { codes, isCode, streamInfo } from './streams.ts';

export interface FollowerParts {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly names: Names;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when something is ready. */
  readonly wake: () => void;
}
/** Between two looks for a queue that nobody has made, milliseconds. */
const lookMs = 1000;
/** What the server may send ahead. */
const ahead = 128;
/** How long the server remembers who reads, after he was last heard of, nanoseconds. */
const rememberNs = 30_000_000_000;

interface Ready {
  readonly seq: number;
  readonly delivered: Delivered;
}

export class Follower {
  readonly #parts: FollowerParts;
  readonly #queue: string;
  readonly #stop = new AbortController();
  /** Settled when it is known whether there is such a queue. */
  readonly known: Promise<void>;
  #ready: Ready[] = [];
  #bytes = 0;
  /** Where the last transfer ended. */
  #position: Position | undefined;
  /** Whether the server has said that more comes. */
  #pending = false;
  #closeMessages: (() => Promise<unknown>) | undefined;
  #room: (() => void) | undefined;

  constructor(parts: FollowerParts, queue: string, from: Position | undefined) {
    this.#parts = parts;
    this.#queue = queue;
    this.#position = from;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.known = promise;
    void this.#run(resolve);
  }
  get position(): Position | undefined {
    return this.#position;
  }
  get ready(): boolean {
    return this.#ready.length > 0 && (!this.#pending || this.#full);
  }
  get #full(): boolean {
    return this.#ready.length >= limits.transferMessages || this.#bytes >= limits.transferBytes;
  }
  /** Whether the queue holds what has not arrived here yet; right now, not a moment ago. */
  async behind(): Promise<boolean> {
    const { jsm, names } = this.#parts;
    if (!this.#position || this.#ready.length > 0) return this.#ready.length > 0;
    const query = { seq: this.#position.seq + 1, next_by_subj: names.subjectOf(this.#queue) };
    try {
      return (await jsm.streams.getMessage(names.streamOf(this.#queue), query)) !== null;
    } catch (error) {
      if (isCode(error, codes.noStream)) return false;
      throw error;
    }
  }
  /** What is ready, and it is no longer. */
  take(): readonly Delivered[] {
    const taken = this.#ready;
    this.#ready = [];
    this.#bytes = 0;
    const last = taken.at(-1);
    if (last && this.#position) this.#position = { ...this.#position, seq: last.seq };
    this.#room?.();
    return taken.map(({ delivered }) => delivered);
  }
  /** It was acknowledged before it was taken. */
  forget(n: number): void {
    this.#ready = this.#ready.filter(({ delivered }) => delivered.id[1] !== n);
  }
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#room?.();
    await this.#closeMessages?.();
  }

  async #run(known: () => void): Promise<void> {
    const { clock, log } = this.#parts;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#follow(known);
      } catch (error) {
        if (!signal.aborted)
          log.debug('a queue is not followed just now', { queue: this.#queue, error: String(error) });
      }
      known();
      this.#pending = false;
      this.#parts.wake();
      await clock.sleep(lookMs, signal).catch(() => undefined); // stopping ends the pause
    }
  }
  /** Ends when the stream is gone. */
  async #follow(known: () => void): Promise<void> {
    const { js, jsm, names } = this.#parts;
    const stream = names.streamOf(this.#queue);
    const info = await streamInfo(jsm, stream);
    if (!info) return;
    const same = this.#position?.created === info.created ? this.#position : undefined;
    this.#position = { created: info.created, seq: same?.seq ?? 0 };
    this.#ready = [];
    const consumer = await js.consumers.get(stream, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.#position.seq + 1,
      inactive_threshold: rememberNs,
    });
    const messages = await consumer.consume({ max_messages: ahead, abort_on_missing_resource: true });
    this.#closeMessages = () => messages.close();
    known();
    for await (const message of messages) {
      this.#arrived(message);
      if (this.#full) await this.#untilTaken();
      if (this.#stop.signal.aborted) return;
    }
  }
  #arrived(sent: JsMsg): void {
    const message = parseMessage(sent.string());
    const n = sent.seq - 1;
    this.#pending = sent.info.pending > 0;
    if (message) {
      this.#ready.push({ seq: sent.seq, delivered: { id: [this.#queue, n], message } });
      this.#bytes += message.payload.length;
    } else this.#parts.log.warn('a message in NATS is none of a switch; it is passed over', { queue: this.#queue, n });
    if (this.ready) this.#parts.wake();
  }
  #untilTaken(): Promise<void> {
    return new Promise((resolve) => {
      this.#room = () => {
        this.#room = undefined;
        resolve();
      };
    });
  }
}
