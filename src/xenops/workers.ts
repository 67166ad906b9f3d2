/** A bound on how much runs at once: first come, first served. */
export class Workers {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
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
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
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
