/**
 * Undo for a few steps inside one function: `add` after each step that completed, `keep()` when all is well.
 * Leaving an `await using` block without `keep()` runs the undos, newest first.
 */
export class Unwind implements AsyncDisposable {
  #undos: (() => unknown)[] = [];

  add(undo: () => unknown): void {
    this.#undos.push(undo);
  }
  keep(): void {
    this.#undos = [];
  }
  /** Hands what was added to a new one, for an owner who lives longer than this block. */
  move(): Unwind {
    const taken = new Unwind();
    taken.#undos = this.#undos;
    this.#undos = [];
    return taken;
  }
  /** Runs what was added, newest first; all of it, even when one fails. */
  async run(): Promise<void> {
    const failed: unknown[] = [];
    for (const undo of this.#undos.reverse()) {
      try {
        await undo();
      } catch (error) {
        failed.push(error);
      }
    }
    this.#undos = [];
    if (failed.length > 0) throw new AggregateError(failed, 'unwinding failed');
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.run();
  }
}
