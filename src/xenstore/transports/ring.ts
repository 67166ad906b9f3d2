/**
 * Guests' connections over shared pages.
 *
 *                    start                    rung, resume: peek → connection.receive → flush
 *     mapped ───────────────────▶ serving ◀──────────────────────────────────────────────────┐
 *        │                        │  │  └──────────────────────────────────────────────────┘
 *        │                        │  │ indices that cannot be, or line.broken
 *        │                        │  ▼
 *        │        start (again) ┌─ ignored: nothing is read or written; the guest may ask to begin again
 *        │                      │
 *        └───────── close ──────┴──▶ closed: unbound, unmapped; the page is never touched again
 *
 * A request that is complete stays in the ring until it is answered, and its answer is put before the index moves past it: when
 * the program is killed, its successor finds every request that was not answered.
 *
 * A guest rings only when it must: after putting the first bytes into a request ring that was empty, and after reading from a
 * reply ring that was full. So a ring is looked at again after every move of an index, and the beginning of a request is taken
 * out at once (and kept for a successor): for what it puts behind it the guest does not ring.
 *
 * Work is bounded: one look at a ring copies at most 1024 bytes, the connection answers what its turn allows, and a guest that
 * puts more as fast as it is taken is looked at again after everybody else.
 */
import type { Log } from '../../base/log.ts';
import { headerSize, u32 } from '../../wire/xenstore.ts';
import type { Connection } from '../connection.ts';
import { leftOfFrame } from '../output.ts';
import { type Ring, RingError } from '../rings.ts';
import type { RingHost, RingMemory } from './ring-host.ts';
import type { RingState } from './ring-log.ts';
import { type RingIndices, RingPage, ringError, ringSize } from './ring-page.ts';

/** What a program that takes this one's place, with its descriptors, goes on with. */
export interface RingRecord {
  readonly domid: number;
  /** The guest's port, and ours, which stays bound. */
  readonly port: number;
  readonly local: number;
  /** Bytes of the request ring that the connection has been given and that are still in it. */
  readonly given: number;
}

/** What a predecessor left of a ring: everything, when it was replaced; what it had kept, when it was killed. */
export type Heritage =
  | { readonly kind: 'replaced'; readonly record: RingRecord }
  | { readonly kind: 'killed'; readonly state: RingState };

/** How often a ring is looked at before it is somebody else's turn. */
const mostLooks = 4;

/** What a ring has around it. */
export interface RingNeeds {
  readonly host: RingHost;
  readonly log: Log;
  bound(ring: GuestRing, local: number): void;
  unbound(local: number): void;
  keep(state: RingState): void;
  closed(ring: GuestRing): void;
}

export class GuestRing implements Ring {
  readonly domid: number;
  readonly #needs: RingNeeds;
  readonly #memory: RingMemory;
  readonly #page: RingPage;
  readonly #connection: Connection;
  #state: 'mapped' | 'serving' | 'ignored' | 'closed' = 'mapped';
  /** The guest's port, and ours; -1 while none is bound. */
  #port = -1;
  #local = -1;
  /** Bytes of the request ring that the connection was given and that were not consumed. */
  #given = 0;
  #badIndex = false;
  #reading = false;
  #heritage: Heritage | undefined;
  /** What was kept last of the connection's transactions: the next one's number, and how many were open. */
  #keptNext = 1;
  #keptOpen = 0;

  constructor(
    needs: RingNeeds,
    domid: number,
    memory: RingMemory,
    connection: Connection,
    heritage: Heritage | undefined,
  ) {
    this.domid = domid;
    this.#needs = needs;
    this.#memory = memory;
    this.#page = new RingPage(memory.memory);
    this.#connection = connection;
    this.#heritage = heritage;
  }

  get port(): number {
    return this.#port;
  }
  get record(): RingRecord {
    return { domid: this.domid, port: this.#port, local: this.#local, given: this.#given };
  }
  get indices(): RingIndices {
    return this.#page.indices;
  }
  /** Binds the guest's port; the one that the page names, if any, counts more than `port`. */
  bind(port: number): void {
    const remote = this.#page.port || port;
    const { host } = this.#needs;
    const local = orRingError(`domain ${this.domid}: port ${remote} cannot be bound`, () =>
      host.bind(this.domid, remote),
    );
    this.goOn(remote, local);
  }
  /** Goes on with a port that is bound already. */
  goOn(port: number, local: number): void {
    this.#port = port;
    this.#local = local;
    this.#needs.bound(this, local);
  }
  rebind(port: number): void {
    this.#unbind();
    this.bind(port);
  }
  start(features: number): void {
    if (this.#state === 'closed') return;
    this.#state = 'serving';
    this.#badIndex = false;
    this.#given = 0;
    this.#page.offer(features);
    this.#page.fail(ringError.none);
    const heritage = this.#heritage;
    this.#heritage = undefined;
    if (heritage !== undefined) this.#takeOver(heritage);
    // What is left of an answer that was begun is owed only to a guest that goes on reading where it stopped.
    else if (this.#page.cleared) this.#forgetOutput();
    this.rung();
    this.flush();
    this.#notify();
  }
  /** Everything that a successor needs which is not in the page, as it is after what waits now is put and consumed. */
  get state(): RingState {
    const { output, pending, nextTransaction, transactions } = this.#connection;
    const { requestConsumer, replyProducer } = this.#page.indices;
    const inRing = Math.min(pending.length, this.#given);
    return {
      domid: this.domid,
      consumer: (requestConsumer + this.#given - inRing) >>> 0,
      replied: replyProducer,
      output: output.peek().toString('latin1'),
      unfinished: output.unfinished,
      input: pending.toString('latin1', 0, pending.length - inRing),
      nextTransaction,
      transactions: [...transactions.keys()],
    };
  }

  /** The guest rang: it asks to begin again, has put requests, or has read answers. */
  rung(): void {
    if (this.#state === 'mapped' || this.#state === 'closed') return;
    if (this.#page.reconnecting) this.#beginAgain();
    else if (this.#state === 'serving') {
      if (this.#connection.output.length > 0) this.flush();
      this.#read();
    }
  }
  resume(): void {
    this.#read();
  }
  flush(): void {
    if (this.#state !== 'serving') return;
    const { output } = this.#connection;
    this.#keepWhatAKillLoses();
    let moved = false;
    for (let looks = 0; output.length > 0 && looks < mostLooks; looks++) {
      const sent = this.#page.put(output);
      if (sent < 0) {
        this.#breakOff();
        return;
      }
      if (sent === 0) break;
      moved = true;
    }
    const taken = this.#given > 0 && this.#consumeAnswered();
    if (moved || taken) this.#notify();
    // Room for answers may let requests go on that were held back.
    if (moved || taken) this.#connection.drained();
    if (taken) this.#read();
  }
  broken(why: 'protocol' | 'timeout' | 'memory'): void {
    if (this.#state === 'closed') return;
    this.#state = 'ignored';
    const told = this.#badIndex
      ? ringError.badIndex
      : why === 'protocol'
        ? ringError.protocol
        : ringError.communication;
    this.#page.fail(told);
    const { indices } = this.#page;
    this.#needs.log.warn('xenstore ring is ignored from now on', {
      domid: this.domid,
      why: this.#badIndex ? 'indices that cannot be' : why,
      ...indices,
    });
  }
  /** Lets go of the page without a word to anybody, as a process does that ends. */
  abandon(): void {
    this.#state = 'closed';
    this.#page.detach();
  }
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#unbind();
    this.#page.detach();
    this.#needs.closed(this);
    try {
      this.#memory.unmap();
    } catch (error) {
      this.#needs.log.warn('xenstore ring was not unmapped', { domid: this.domid, error: String(error) });
    }
  }

  #read(): void {
    // What a turn within this one leaves is seen by the next look.
    if (this.#reading) return;
    this.#reading = true;
    try {
      for (let looks = 0; looks < mostLooks; looks++) if (!this.#look()) return;
    } finally {
      this.#reading = false;
    }
    setImmediate(() => this.#read());
  }
  /** Takes what is new in the ring; false when there is nothing, or nothing is to be taken. */
  #look(): boolean {
    // Also when the connection does not want input now: it keeps what it is given, which the ring bounds, and goes on with it by itself.
    if (this.#state !== 'serving' || this.#connection.state !== 'open') return false;
    const count = this.#page.peek(this.#given);
    if (count < 0) this.#breakOff();
    if (count <= 0) return false;
    this.#given += count;
    this.#connection.receive(this.#page.requests.subarray(0, count));
    if (this.#given > 0 && this.#state === 'serving' && this.#consumeAnswered()) this.#notify();
    return true;
  }
  /** Gives the room of answered requests back, and of one that is not complete. True when there was any. */
  #consumeAnswered(): boolean {
    const { pending } = this.#connection;
    const unanswered = Math.min(pending.length, this.#given);
    const answered = isIncomplete(pending) ? this.#given : this.#given - unanswered;
    if (answered === 0) return false;
    if (answered > this.#given - unanswered) {
      this.#given = 0;
      const { requestConsumer } = this.#page.indices;
      this.#needs.keep({ ...this.state, consumer: (requestConsumer + answered) >>> 0 });
      this.#given = answered;
    }
    this.#page.consume(answered);
    this.#given -= answered;
    return true;
  }
  #beginAgain(): void {
    this.#connection.reset();
    this.#forgetOutput();
    this.#given = 0;
    this.#badIndex = false;
    this.#state = 'serving';
    this.#page.fail(ringError.none);
    this.#page.restart();
    this.#notify();
  }
  /** Before answers are put: what would be lost if this process were killed while some of them wait. */
  #keepWhatAKillLoses(): void {
    const { output, nextTransaction, transactions } = this.#connection;
    const same = nextTransaction === this.#keptNext && transactions.size === this.#keptOpen;
    if (same && (output.length === 0 || output.length <= this.#page.room)) return;
    this.#keptNext = nextTransaction;
    this.#keptOpen = transactions.size;
    this.#needs.keep(this.state);
  }
  #takeOver(heritage: Heritage): void {
    const connection = this.#connection;
    if (heritage.kind === 'replaced') {
      this.#given = heritage.record.given;
      return;
    }
    const { state } = heritage;
    connection.nextTransaction = state.nextTransaction;
    const { requestConsumer, replyProducer } = this.#page.indices;
    const sent = (replyProducer - state.replied) >>> 0;
    if (sent <= state.output.length) {
      const output = Buffer.from(state.output, 'latin1');
      connection.output.restore(output.subarray(sent), leftOfFrame(output, state.unfinished, sent));
    }
    // The index is moved last: a kill just before leaves it behind what was answered already.
    const behind = (state.consumer - requestConsumer) >>> 0;
    if (behind <= ringSize) {
      connection.restoreInput(Buffer.from(state.input, 'latin1'));
      if (behind > 0) this.#page.resumeAt(state.consumer);
    }
  }
  #forgetOutput(): void {
    const { output } = this.#connection;
    output.consume(output.length);
  }
  #breakOff(): void {
    this.#badIndex = true;
    this.#connection.breakOff('protocol');
  }
  #notify(): void {
    const { host, log } = this.#needs;
    const about = { domid: this.domid, port: this.#port };
    try {
      if (!host.notify(this.#local)) log.debug('nobody hears a xenstore ring', about);
    } catch (error) {
      // One guest's bell must not end what serves the others.
      log.warn('a guest could not be rung', { ...about, error: String(error) });
    }
  }
  #unbind(): void {
    if (this.#local < 0) return;
    const local = this.#local;
    this.#local = -1;
    this.#needs.unbound(local);
    try {
      this.#needs.host.unbind(local);
    } catch (error) {
      this.#needs.log.warn('an event channel was not unbound', { domid: this.domid, local, error: String(error) });
    }
  }
}

function isIncomplete(request: Buffer): boolean {
  return request.length < headerSize || request.length < headerSize + u32(request, 12);
}

export function orRingError<T>(what: string, f: () => T): T {
  try {
    return f();
  } catch (error) {
    throw new RingError(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
