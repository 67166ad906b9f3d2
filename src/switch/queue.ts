/** One queue: its messages in the order of their coming, and how much it holds. */
import { type Durability, type Message, type MessageId, switchErrors } from '../contracts/switch.ts';

/** What a queue may hold; who sends more is refused, so that a consumer that is away cannot fill the switch. */
export const queueLimits = { messages: 100_000, bytes: 256 * 1024 * 1024 };

export interface Entry {
  readonly id: MessageId;
  readonly message: Message;
  /** Who sent it: the token of its session. */
  readonly origin: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Its place among all messages of the switch; what `next` and `from` of a transfer say. */
  readonly serial: number;
}

export class Queue {
  readonly name: string;
  readonly durability: Durability;
  /** The session whose end is its end; of a transient queue. */
  readonly owner: string | undefined;
  readonly #entries = new Map<number, Entry>();
  #next: number;
  #bytes = 0;

  constructor(name: string, durability: Durability, owner?: string, next = 0) {
    this.name = name;
    this.durability = durability;
    this.owner = durability === 'transient' ? owner : undefined;
    this.#next = next;
  }
  /** The number of the next message. */
  get next(): number {
    return this.#next;
  }
  get size(): number {
    return this.#entries.size;
  }
  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }
  find(n: number): Entry | undefined {
    return this.#entries.get(n);
  }
  /** A new message. Queue_full. */
  add(message: Message, origin: string, time: number, serial: number): Entry {
    if (this.size >= queueLimits.messages || this.#bytes + message.payload.length > queueLimits.bytes) {
      throw switchErrors.make('Queue_full', { queue: this.name, bytes: this.#bytes, messages: this.size });
    }
    const entry = { id: [this.name, this.#next] as const, message, origin, time, serial };
    this.restore(entry);
    return entry;
  }
  /** A message that was kept. */
  restore(entry: Entry): void {
    const [, n] = entry.id;
    this.#entries.set(n, entry);
    this.#bytes += entry.message.payload.length;
    this.#next = Math.max(this.#next, n + 1);
  }
  remove(n: number): Entry | undefined {
    const entry = this.#entries.get(n);
    if (!entry) return undefined;
    this.#entries.delete(n);
    this.#bytes -= entry.message.payload.length;
    return entry;
  }
}

const name = /^[^\p{C}/]{1,255}$/u;
/** Bad_queue. */
export function checkName(queue: string): void {
  if (!name.test(queue)) throw switchErrors.make('Bad_queue', { queue: JSON.stringify(queue.slice(0, 60)) });
}
