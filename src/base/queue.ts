/**
 * Serial per key, parallel over keys, with a bound on how many run at once.
 * Waiting keys take turns: after each piece of work a key goes to the end of the line.
 */
export class KeyedQueue {
  readonly #limit: number;
  readonly #waiting = new Map<string, (() => Promise<void>)[]>();
  readonly #busy = new Set<string>();
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }
  /** Runs `work` after all earlier work of the same key. */
  push<T>(key: string, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const job = () => work().then(resolve, reject);
      const line = this.#waiting.get(key);
      if (line) line.push(job);
      else this.#waiting.set(key, [job]);
      this.#next();
    });
  }
  /** Whether work of `key` runs or waits. */
  has(key: string): boolean {
    return this.#busy.has(key) || this.#waiting.has(key);
  }
  /** How many pieces of work run now. */
  get running(): number {
    return this.#running;
  }
  #next(): void {
    while (this.#running < this.#limit) {
      const key = this.#firstIdle();
      if (key === undefined) return;
      const line = this.#waiting.get(key) ?? [];
      const job = line.shift();
      this.#waiting.delete(key);
      if (line.length > 0) this.#waiting.set(key, line);
      if (job) this.#start(key, job);
    }
  }
  #firstIdle(): string | undefined {
    for (const key of this.#waiting.keys()) if (!this.#busy.has(key)) return key;
    return undefined;
  }
  #start(key: string, job: () => Promise<void>): void {
    this.#busy.add(key);
    this.#running++;
    void job().finally(() => {
      this.#busy.delete(key);
      this.#running--;
      this.#next();
    });
  }
}
