/** Guests that do not read what waits for them are given up after a while, so that what is buffered for them is given back. */
import type { Clock } from '../base/clock.ts';
import type { Connection } from './connection.ts';

/** Milliseconds without a byte taken. */
export const stallMs = 20_000;

export class Stalls {
  readonly #clock: Clock;
  readonly #limitMs: number;
  /** Connection → bytes that were sent when it was last looked at, and when that was. */
  readonly #slow = new Map<Connection, { sent: number; since: number }>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, limitMs: number = stallMs) {
    this.#clock = clock;
    this.#limitMs = limitMs;
  }
  /** Output is left after a flush. */
  left(connection: Connection): void {
    if (connection.domain.privileged || this.#limitMs === 0 || this.#slow.has(connection)) return;
    this.#slow.set(connection, { sent: connection.output.sent, since: this.#clock.now() });
    this.#cancel ??= this.#clock.after(this.#limitMs / 4, () => this.#look());
  }
  forget(connection: Connection): void {
    this.#slow.delete(connection);
    if (this.#slow.size === 0) this.close();
  }
  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
  #look(): void {
    this.#cancel = undefined;
    const now = this.#clock.now();
    for (const [connection, seen] of this.#slow) {
      const { output } = connection;
      if (output.length === 0) this.#slow.delete(connection);
      else if (output.sent !== seen.sent) this.#slow.set(connection, { sent: output.sent, since: now });
      else if (now - seen.since >= this.#limitMs) {
        this.#slow.delete(connection);
        connection.breakOff('timeout');
      }
    }
    if (this.#slow.size > 0) this.#cancel = this.#clock.after(this.#limitMs / 4, () => this.#look());
  }
}
