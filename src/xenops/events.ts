import type { Log } from '../base/log.ts';

/** Those who watch: each event goes to all, in order; one that throws does not keep it from the others. */
export class Listeners<E> {
  readonly #listeners = new Set<(event: E) => void>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }
  /** The answer stops it. */
  add(listener: (event: E) => void): () => void {
    // A function of its own, so that one that watches twice is told twice and stops twice.
    const own = (event: E) => listener(event);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }
  tell(event: E): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#log.error('a watcher failed', { error: String(error) });
      }
    }
  }
}
