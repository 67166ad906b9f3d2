/**
 * The switch itself: queues in memory, persistent ones written through to a store.
 *
 * A message:   sent ──(durable, if its queue is)──▶ in the queue ──transfer, as often as asked──▶ … ──ack──▶ gone
 *
 * A send into a persistent queue is answered when it is durable, and seen by transfers only then. An acknowledgement is written
 * with the next send, or soon: after a crash in between the message comes again, as at-least-once allows.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import {
  type Durability,
  type Message,
  type MessageId,
  type Switch,
  type SwitchSession,
  switchErrors,
  type Transfer,
  type TransferRequest,
} from '../contracts/switch.ts';
import type { Change, Store } from '../store/store.ts';
import { checkName, type Entry, Queue } from './queue.ts';
import { Trace } from './trace.ts';

export interface SwitchParts {
  /** Where persistent queues live; without one they go with the switch. */
  readonly store?: Store | undefined;
  readonly clock: Clock;
  readonly log: Log;
}
export const limits = {
  /** Of one message. */
  bytes: 16 * 1024 * 1024,
  queues: 10_000,
  /** What one transfer answers; the rest comes with the next one. */
  transferMessages: 1000,
  transferBytes: 32 * 1024 * 1024,
  transferS: 300,
};
const tables = { queues: 'switch_queue', messages: 'switch_message' } as const;
const keyOf = ([queue, n]: MessageId) => `${queue}/${n}`;

interface Waiting {
  readonly queues: readonly string[];
  readonly wake: () => void;
}
/** What is known of a token: how many hold it, and what they listen to. */
interface Live {
  holders: number;
  /** Queue → until when (ms) its consumer is expected to ask again; Infinity while it waits. */
  readonly listens: Map<string, number>;
}
/** How long an acknowledgement may wait for a send to be written with. */
const ackMs = 50;
/** How long a consumer that has just been answered still counts as one. */
const listenMs = 30_000;

/** Loads the persistent queues. */
export async function openSwitch(parts: SwitchParts): Promise<SwitchCore> {
  const core = new SwitchCore(parts);
  await core.load();
  return core;
}

export class SwitchCore implements Switch {
  readonly trace = new Trace();
  readonly startedAt: number;
  readonly #parts: SwitchParts;
  readonly #queues = new Map<string, Queue>();
  readonly #live = new Map<string, Live>();
  readonly #waiting = new Set<Waiting>();
  /** Of this life of the switch: a `from` of another one means nothing here. */
  readonly #epoch = randomBytes(6).toString('hex');
  #serial = 0;
  #revision = 0;
  /** What is acknowledged and not written yet, and what ends its wait for company. */
  #acked: Change[] = [];
  #cancelAcks: (() => void) | undefined;

  constructor(parts: SwitchParts) {
    this.#parts = parts;
    this.startedAt = parts.clock.now();
  }
  async load(): Promise<void> {
    const { store } = this.#parts;
    if (!store) return;
    this.#revision = await store.revision();
    for await (const [name, next] of store.load(tables.queues)) {
      this.#queues.set(name, new Queue(name, 'persistent', undefined, Number(next)));
    }
    const kept: Entry[] = [];
    for await (const [, text] of store.load(tables.messages)) kept.push(JSON.parse(text) as Entry);
    for (const entry of kept.sort((a, b) => a.id[1] - b.id[1])) {
      this.#queues.get(entry.id[0])?.restore({ ...entry, serial: ++this.#serial });
    }
  }
  /** Waits for what was acknowledged to be written. */
  async close(): Promise<void> {
    this.#writeAcks();
    await this.#parts.store?.close();
  }
  queues(): IterableIterator<Queue> {
    return this.#queues.values();
  }
  /** When the queue's consumer is expected to ask again, milliseconds since the epoch; undefined: nobody listens. */
  expected(queue: string): number | undefined {
    const now = this.#parts.clock.now();
    const times = [...this.#live.values()].flatMap((live) => live.listens.get(queue) ?? []).filter((t) => t > now);
    return times.length > 0 ? Math.max(...times) : undefined;
  }

  async login(token: string): Promise<SwitchSession> {
    const live = this.#live.get(token) ?? { holders: 0, listens: new Map() };
    live.holders++;
    this.#live.set(token, live);
    let open = true;
    const of = <A extends readonly unknown[], R>(f: (...a: A) => Promise<R>) => {
      return async (...a: A): Promise<R> => {
        if (!open) throw switchErrors.make('Not_logged_in');
        return f(...a);
      };
    };
    return {
      create: of((queue: string, durability: Durability) => this.#create(token, queue, durability)),
      destroy: of((queue: string) => this.#destroy(queue)),
      list: of((prefix: string, alive = false) => this.#list(prefix, alive)),
      send: of((queue: string, message: Message) => this.#send(token, queue, message)),
      transfer: of((request: TransferRequest) => this.#transfer(live, request)),
      ack: of((id: MessageId) => this.#ack(token, id)),
      close: async () => {
        if (!open) return;
        open = false;
        await this.#leave(token, live);
      },
    };
  }
  async #leave(token: string, live: Live): Promise<void> {
    if (--live.holders > 0) return;
    this.#live.delete(token);
    for (const queue of this.#queues.values()) if (queue.owner === token) this.#queues.delete(queue.name);
  }

  async #create(token: string, name: string, durability: Durability): Promise<void> {
    checkName(name);
    const there = this.#queues.get(name);
    if (there && (there.durability === durability || durability === 'transient')) return;
    if (!there && this.#queues.size >= limits.queues) {
      throw switchErrors.make('Too_many', { count: this.#queues.size, what: 'queues' });
    }
    const queue = new Queue(name, durability, token, there?.next);
    for (const entry of there?.entries() ?? []) queue.restore(entry);
    this.#queues.set(name, queue);
    if (durability === 'persistent') {
      const kept = [...queue.entries()].map((entry) => put(entry));
      await this.#commit([{ table: tables.queues, key: name, value: String(queue.next) }, ...kept]);
    }
  }
  async #destroy(name: string): Promise<void> {
    const queue = this.#queues.get(name);
    if (!queue) return;
    this.#queues.delete(name);
    this.#wake(name);
    if (queue.durability === 'transient') return;
    const gone = [...queue.entries()].map(({ id }) => ({ table: tables.messages, key: keyOf(id), value: null }));
    await this.#commit([{ table: tables.queues, key: name, value: null }, ...gone]);
  }
  async #list(prefix: string, alive: boolean): Promise<string[]> {
    const names = [...this.#queues.values()].filter((q) => q.name.startsWith(prefix) && (!alive || this.#isAlive(q)));
    return names.map((q) => q.name).sort();
  }
  #isAlive(queue: Queue): boolean {
    return queue.owner !== undefined || this.expected(queue.name) !== undefined;
  }

  async #send(origin: string, name: string, message: Message): Promise<MessageId | null> {
    const bytes = Buffer.byteLength(message.payload);
    if (bytes > limits.bytes) throw switchErrors.make('Bad_message', { bytes, limit: limits.bytes });
    const queue = this.#queues.get(name);
    if (!queue) return null;
    const now = this.#parts.clock.now();
    if (queue.durability === 'transient') {
      this.#arrived(queue, queue.add(message, origin, now, ++this.#serial));
      return [name, queue.next - 1];
    }
    const entry = queue.add(message, origin, now, Number.POSITIVE_INFINITY);
    const written = { ...entry, serial: ++this.#serial };
    try {
      await this.#commit([put(written), { table: tables.queues, key: name, value: String(queue.next) }]);
    } catch (error) {
      queue.remove(entry.id[1]);
      throw error;
    }
    // Its place is where it is first seen: a transfer may have answered later ones of other queues meanwhile. Commits end in
    // their order, so the order of the queue stays.
    const seen = { ...entry, serial: ++this.#serial };
    if (queue.remove(entry.id[1])) queue.restore(seen);
    this.#arrived(queue, seen);
    return entry.id;
  }
  #arrived(queue: Queue, entry: Entry): void {
    const { id, message, origin, time } = entry;
    const what = { sent: id, message };
    this.trace.add({ time, input: origin, queue: queue.name, output: this.#consumer(queue.name), what });
    this.#wake(queue.name);
  }
  #consumer(queue: string): string | undefined {
    for (const [token, live] of this.#live) if (live.listens.has(queue)) return token;
    return undefined;
  }
  #wake(queue: string): void {
    for (const waiting of this.#waiting) if (waiting.queues.includes(queue)) waiting.wake();
  }

  async #transfer(live: Live, { queues, from, timeoutS, signal }: TransferRequest): Promise<Transfer> {
    const { clock } = this.#parts;
    const wait = Number.isFinite(timeoutS) ? Math.min(Math.max(0, timeoutS), limits.transferS) : limits.transferS;
    const [epoch, place] = from?.split('.') ?? [];
    const start = epoch === this.#epoch ? Number(place) : 0;
    for (const name of queues) live.listens.set(name, Number.POSITIVE_INFINITY);
    try {
      let found = this.#take(queues, start);
      if (found.length === 0 && wait > 0) {
        await this.#something(queues, wait * 1000, signal);
        found = this.#take(queues, start);
      }
      const next = `${this.#epoch}.${found.at(-1)?.serial ?? start}`;
      return { messages: found.map(({ id, message }) => ({ id, message })), next };
    } finally {
      for (const name of queues) live.listens.set(name, clock.now() + listenMs);
    }
  }
  #take(names: readonly string[], after: number): Entry[] {
    const found: Entry[] = [];
    for (const name of new Set(names)) {
      for (const entry of this.#queues.get(name)?.entries() ?? []) {
        if (entry.serial > after && entry.serial !== Number.POSITIVE_INFINITY) found.push(entry);
      }
    }
    found.sort((a, b) => a.serial - b.serial);
    let bytes = 0;
    const fits = found.findIndex((entry, i) => {
      bytes += entry.message.payload.length;
      return i > 0 && (i >= limits.transferMessages || bytes > limits.transferBytes);
    });
    return fits < 0 ? found : found.slice(0, fits);
  }
  #something(queues: readonly string[], ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        signal?.removeEventListener('abort', done);
        this.#waiting.delete(waiting);
        resolve();
      };
      const waiting = { queues, wake: done };
      const cancel = this.#parts.clock.after(ms, done);
      this.#waiting.add(waiting);
      if (signal?.aborted) done();
      else signal?.addEventListener('abort', done, { once: true });
    });
  }

  async #ack(token: string, id: MessageId): Promise<void> {
    const [name, n] = id;
    const queue = this.#queues.get(name);
    const entry = queue?.find(n);
    // What is not durable yet was not handed out to anybody.
    if (!queue || !entry || entry.serial === Number.POSITIVE_INFINITY) return;
    queue.remove(n);
    const time = this.#parts.clock.now();
    const input = entry.origin;
    this.trace.add({ time, input, queue: name, output: token, what: { acknowledged: id }, tookMs: time - entry.time });
    if (queue.durability === 'transient') return;
    if (!this.#parts.store) return;
    this.#acked.push({ table: tables.messages, key: keyOf(id), value: null });
    this.#cancelAcks ??= this.#parts.clock.after(ackMs, () => this.#writeAcks());
  }
  #writeAcks(): void {
    if (this.#acked.length === 0) return;
    this.#commit([]).catch((error: unknown) => {
      this.#parts.log.error('acknowledgements were not written; the messages may come again', { error });
    });
  }
  /** With what was acknowledged before. */
  async #commit(changes: readonly Change[]): Promise<void> {
    const { store } = this.#parts;
    if (!store) return;
    this.#cancelAcks?.();
    this.#cancelAcks = undefined;
    const acked = this.#acked;
    this.#acked = [];
    await store.commit(++this.#revision, [...acked, ...changes]);
  }
}
const put = (entry: Entry): Change => ({ table: tables.messages, key: keyOf(entry.id), value: JSON.stringify(entry) });
