/**
 * One line per key, as many lines at once as there are keys; a push costs the same however many wait. (`KeyedQueue` bounds
 * how many keys run; here `Workers` does, as a job that waits for a guest gives its worker back but not its turn.)
 */
export class Lines {
  readonly #waiting = new Map<string, (() => Promise<void>)[]>();

  /** Runs `job`, which must not reject, after all earlier jobs of the key; resolves when it has ended. */
  push(key: string, job: () => Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const turn = () => job().then(resolve);
      const line = this.#waiting.get(key);
      if (line) line.push(turn);
      else {
        this.#waiting.set(key, []);
        void this.#serve(key, turn);
      }
    });
  }
  /** Serves a line until it is empty. */
  async #serve(key: string, first: () => Promise<void>): Promise<void> {
    for (let turn: (() => Promise<void>) | undefined = first; turn; turn = this.#waiting.get(key)?.shift()) {
      await turn();
    }
    this.#waiting.delete(key);
  }
}
