/** Time as a dependency: real in the daemons, stepped by hand in tests and in the simulator. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `f` once after `ms`; the answer cancels it. */
  after(ms: number, f: () => void): () => void;
}

declare const setTimeout: (f: () => void, ms: number) => unknown;
declare const clearTimeout: (handle: unknown) => void;

/** The machine's clock. Timers set here keep the process alive until they fire. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => sleepOn(systemClock, ms, signal),
  after(ms, f) {
    const handle = setTimeout(f, ms);
    return () => clearTimeout(handle);
  },
};

function sleepOn(clock: Pick<Clock, 'after'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    });
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** A clock that stands still until told to move: `advance` fires what falls due, in order of time. */
export class ManualClock implements Clock {
  #now: number;
  #serial = 0;
  readonly #due = new Map<number, { at: number; f: () => void }>();

  constructor(startMs = 0) {
    this.#now = startMs;
  }
  now(): number {
    return this.#now;
  }
  after(ms: number, f: () => void): () => void {
    const id = this.#serial++;
    this.#due.set(id, { at: this.#now + Math.max(0, ms), f });
    return () => this.#due.delete(id);
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }
  /** How many timers wait. */
  get pending(): number {
    return this.#due.size;
  }
  /** Moves time forward by `ms`, letting promises settle between timers. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = [...this.#due].filter(([, t]) => t.at <= end).sort((a, b) => a[1].at - b[1].at || a[0] - b[0])[0];
      if (!next) break;
      this.#due.delete(next[0]);
      this.#now = Math.max(this.#now, next[1].at);
      next[1].f();
    }
    this.#now = Math.max(this.#now, end);
    await settle();
  }
}

/** Lets the promise jobs that are ready run (a bounded number of rounds; no timers involved). */
export async function settle(rounds = 20): Promise<void> {
  for (let i = 0; i < rounds; i++) await Promise.resolve();
}
