/** A bound on how much runs at once: first come, first served. */
export class Workers {
  /** Below 0: there are more at work than there should be, until that many are released. */
  #free: number;
  #count: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
    this.#count = count;
  }
  /** Resolves when there is a free worker, which is the caller's until `release`. */
  acquire(): Promise<void> | undefined {
    if (this.#free > 0) {
      this.#free--;
      return undefined;
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
  release(): void {
    if (this.#free < 0) {
      this.#free++;
      return;
    }
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
  /** Another number of workers: those that are too many go when they are released. */
  resize(count: number): void {
    this.#free += count - this.#count;
    this.#count = count;
    while (this.#free > 0 && this.#waiting.length > 0) {
      this.#free--;
      this.#waiting.shift()?.();
    }
  }
  /** Runs `f` while somebody else may have the caller's worker. */
  async lend<T>(f: () => Promise<T>): Promise<T> {
    this.release();
    try {
      return await f();
    } finally {
      await this.acquire();
    }
  }
}
