/** A store that lives as long as the test; opening a daemon on it again is a restart. */
import type { Change, Store } from '../../src/store/store.ts';

export class MemoryStore implements Store {
  readonly #tables = new Map<string, Map<string, string>>();
  #revision = 0;
  async *load(table: string): AsyncIterable<readonly [string, string]> {
    yield* [...(this.#tables.get(table) ?? [])];
  }
  async tables(): Promise<readonly string[]> {
    return [...this.#tables.keys()];
  }
  async commit(revision: number, changes: readonly Change[]): Promise<void> {
    if (revision <= this.#revision) throw new Error(`revision ${revision} after ${this.#revision}`);
    this.#revision = revision;
    for (const { table, key, value } of changes) {
      const rows = this.#tables.get(table) ?? new Map<string, string>();
      this.#tables.set(table, rows);
      if (value === null) rows.delete(key);
      else rows.set(key, value);
    }
  }
  async revision(): Promise<number> {
    return this.#revision;
  }
  async close(): Promise<void> {
    await Promise.resolve();
  }
}
