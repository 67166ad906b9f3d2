/** What one guest may use of the broker and the bus. */
import type { Clock } from '../base/clock.ts';

export interface Limits {
  /** Bytes of a message. */
  readonly messageBytes: number;
  /** Calls of one connection that wait for their answer. */
  readonly pendingReplies: number;
  readonly matchRules: number;
  /** Messages a second of one connection; a faster one is read no faster. */
  readonly messagesPerSecond: number;
  /** Connections of one channel at once. */
  readonly connections: number;
  /** Seconds until a connection has authenticated and said Hello. */
  readonly greetingS: number;
}
export const usualLimits: Limits = {
  messageBytes: 4 << 20,
  pendingReplies: 256,
  matchRules: 256,
  messagesPerSecond: 20_000,
  connections: 64,
  greetingS: 30,
};

/** So many a second, with as many saved up at most. */
export class Budget {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #perSecond: number;
  #left: number;
  #at: number;

  constructor(clock: Pick<Clock, 'now'>, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#left = perSecond;
    this.#at = clock.now();
  }
  /** Takes one. Milliseconds to wait before the next may be taken: 0 while some are left. */
  take(): number {
    const now = this.#clock.now();
    this.#left = Math.min(this.#perSecond, this.#left + ((now - this.#at) * this.#perSecond) / 1000);
    this.#at = now;
    this.#left--;
    return this.#left >= 0 ? 0 : Math.ceil((-this.#left * 1000) / this.#perSecond);
  }
}
