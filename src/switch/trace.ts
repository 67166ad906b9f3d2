/** The last things that passed through the switch, for people who look for what is stuck. */
import type { Message, MessageId } from '../contracts/switch.ts';

export interface TraceEvent {
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Who sent it, and who took it: tokens of sessions. */
  readonly input: string | undefined;
  readonly queue: string;
  readonly output: string | undefined;
  readonly what: { readonly sent: MessageId; readonly message: Message } | { readonly acknowledged: MessageId };
  /** From a request's coming to its acknowledgement, milliseconds. */
  readonly tookMs?: number;
}
/** How much is kept. */
const limits = { events: 1000, payload: 4096 };

export class Trace {
  #events: (readonly [n: number, event: TraceEvent])[] = [];
  #next = 0;
  #waiting: (() => void)[] = [];

  add(event: TraceEvent): void {
    this.#events.push([this.#next++, shortened(event)]);
    if (this.#events.length > 2 * limits.events) this.#events = this.#events.slice(-limits.events);
    for (const wake of this.#waiting.splice(0)) wake();
  }
  /** What came after number `from`. */
  since(from: number): readonly (readonly [n: number, event: TraceEvent])[] {
    return this.#events.slice(-limits.events).filter(([n]) => n > from);
  }
  /** Calls `wake` once, at the next event; the answer forgets it. */
  onNext(wake: () => void): () => void {
    this.#waiting.push(wake);
    return () => {
      this.#waiting = this.#waiting.filter((w) => w !== wake);
    };
  }
}
function shortened(event: TraceEvent): TraceEvent {
  if (!('sent' in event.what) || event.what.message.payload.length <= limits.payload) return event;
  const { sent, message } = event.what;
  return { ...event, what: { sent, message: { ...message, payload: `${message.payload.slice(0, limits.payload)}…` } } };
}
