/**
 * Who is served when. Connections with requests stand in a line; each answers a few, then goes to its end. A round that took long goes on in a
 * later turn of the event loop, so that new requests of others are read meanwhile. What was written in a round is sent at its end, once
 * per connection.
 *
 *     enter ──▶ line ──turn──▶ answered all ──▶ out
 *                ▲              │ more is left
 *                └──────────────┘      round over (or a deadline): beforeFlush, then flush of each connection that has output
 *
 * While several peers ask at once, answers of one turn of the event loop are sent together at its end (`together`): they wake their peers once, not
 * in between, which costs the machine half as much. A peer that asks alone is answered at once.
 */
import type { Connection } from './connection.ts';

/** Requests of one connection before the next one's turn. */
const requestsPerTurn = 128;
/** Peers whose answers are sent together; the first ones can work on theirs meanwhile. */
const mostTogether = 8;
/** Requests after which a round goes on later. */
const requestsPerRound = 1024;

export class Turns {
  readonly #line = new Set<Connection>();
  readonly #written = new Set<Connection>();
  readonly #later: (f: () => void) => void;
  /** Runs before anything is sent: what must not be lost is made durable here. */
  beforeFlush: (() => void) | undefined;
  readonly #left: (connection: Connection) => void;
  readonly #together: boolean;
  /** Whose requests came last. */
  #last: Connection | undefined;
  #running = false;
  #scheduled = false;
  #flushScheduled = false;
  #flushing = false;

  /** `later` runs a function in a later turn of the event loop, after I/O (setImmediate); `left` hears of output that did not go out. */
  constructor(
    later: (f: () => void) => void,
    left: (connection: Connection) => void = () => undefined,
    { together = false } = {},
  ) {
    this.#later = later;
    this.#left = left;
    this.#together = together;
  }
  /** The connection may have complete requests. */
  enter(connection: Connection): void {
    this.#line.add(connection);
    // While answers are sent, room for them lets requests go on: after it, not inside.
    if (this.#running || this.#flushing || this.#scheduled) return;
    const several = this.#together && this.#last !== undefined && this.#last !== connection;
    this.#last = connection;
    this.#round(several);
  }
  leave(connection: Connection): void {
    this.#line.delete(connection);
    this.#written.delete(connection);
    if (this.#last === connection) this.#last = undefined;
  }
  /** The connection has output that is to be sent at the end of the round; outside one, soon. */
  wrote(connection: Connection): void {
    this.#written.add(connection);
    if (!this.#running) this.#schedule();
  }
  /** Whether any connection waits for its turn. */
  get busy(): boolean {
    return this.#line.size > 0;
  }
  /** Runs `f` as a round of its own: what it writes is sent at its end. */
  run<T>(f: () => T): T {
    if (this.#running) return f();
    this.#running = true;
    try {
      return f();
    } finally {
      this.#running = false;
      this.#flush();
      if (this.#line.size > 0) this.#schedule();
    }
  }
  #round(several = false): void {
    let left = requestsPerRound;
    do {
      this.#running = true;
      try {
        left = this.#answer(left);
      } finally {
        this.#running = false;
        if (several && this.#written.size < mostTogether) this.#flushLater();
        else this.#flush();
      }
    } while (this.#line.size > 0 && left > 0);
    if (this.#line.size > 0) this.#schedule();
  }
  /** A turn for each that waits, again and again; what is left of the round when nobody waits, or it is over. */
  #answer(most: number): number {
    let left = most;
    while (this.#line.size > 0 && left > 0) {
      for (const connection of this.#line) {
        this.#line.delete(connection);
        if (connection.turn(requestsPerTurn)) this.#line.add(connection);
        if (connection.output.length > 0) this.#written.add(connection);
        left -= requestsPerTurn;
        if (left <= 0) break;
      }
    }
    return left;
  }
  #flushLater(): void {
    if (this.#flushScheduled || this.#written.size === 0) return;
    this.#flushScheduled = true;
    this.#later(() => {
      this.#flushScheduled = false;
      this.#flush();
      if (this.#line.size > 0) this.#schedule();
    });
  }
  #flush(): void {
    if (this.#written.size === 0) return;
    this.beforeFlush?.();
    this.#flushing = true;
    for (const connection of this.#written) {
      this.#written.delete(connection);
      if (connection.state !== 'open' || connection.output.length === 0) continue;
      connection.line.flush(connection);
      if (connection.output.length > 0) this.#left(connection);
      else connection.drained();
    }
    this.#flushing = false;
  }
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#later(() => {
      this.#scheduled = false;
      this.#round();
    });
  }
}
