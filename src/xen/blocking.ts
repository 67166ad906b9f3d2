/**
 * Calls that may take long run on worker threads, a few at a time, so that files find a thread too. errno does not come back
 * from there: what went wrong is in Xen's own words (see `libxentoollog.ts`).
 */
import type { Library } from './koffi.ts';

export type LibraryFunction = ReturnType<Library['func']>;

export class Blocking {
  readonly #atOnce: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(atOnce = 3) {
    this.#atOnce = atOnce;
  }
  /** Runs `f` with `args` on a worker thread and answers its result. */
  async call(f: LibraryFunction, ...args: readonly unknown[]): Promise<number> {
    if (this.#running >= this.#atOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await new Promise<number>((resolve, reject) => {
        f.async(...args, (error: unknown, result: number) => (error ? reject(error) : resolve(result)));
      });
    } finally {
      const next = this.#waiting.shift();
      // Its place is handed on.
      if (next) next();
      else this.#running--;
    }
  }
}
