/** A store in memory, for tests: what `disk` holds survives a "restart"; commits can be made to fail or to crash. */
import type { Change, Store } from './store.ts';
import { StoreError } from './store.ts';

/** What a real store would have on its disk. Open it again to restart. */
export interface Disk {
  revision: number;
  readonly tables: Map<string, Map<string, string>>;
}
export const emptyDisk = (): Disk => ({ revision: 0, tables: new Map() });

export interface MemoryStoreOptions {
  readonly disk?: Disk;
  /**
   * Asked before the `n`th transaction (from 1): `fail` refuses it and every commit that waits behind it; `crash` writes
   * nothing any more and answers nothing, as a process that was killed; `crash-after` writes this one first.
   */
  readonly fault?: (n: number) => 'fail' | 'crash' | 'crash-after' | undefined;
  /** Runs before each transaction: a test decides when the disk is done. */
  readonly gate?: () => Promise<void>;
}
interface Waiting {
  readonly revision: number;
  readonly changes: readonly Change[];
  readonly resolve: () => void;
  readonly reject: (e: Error) => void;
}

export function openMemoryStore(options: MemoryStoreOptions = {}): Store {
  return new MemoryStore(options);
}

class MemoryStore implements Store {
  readonly #disk: Disk;
  readonly #options: MemoryStoreOptions;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #last: number;
  #count = 0;
  #state: 'open' | 'crashed' | 'closed' = 'open';

  constructor(options: MemoryStoreOptions) {
    this.#options = options;
    this.#disk = options.disk ?? emptyDisk();
    this.#last = this.#disk.revision;
  }
  async *load(table: string): AsyncIterable<readonly [key: string, value: string]> {
    this.#mustBeOpen();
    yield* [...(this.#disk.tables.get(table) ?? [])];
  }
  async tables(): Promise<readonly string[]> {
    this.#mustBeOpen();
    return [...this.#disk.tables.keys()];
  }
  async revision(): Promise<number> {
    this.#mustBeOpen();
    return this.#disk.revision;
  }
  commit(revision: number, changes: readonly Change[]): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#mustBeOpen();
      if (revision <= this.#last) throw new StoreError(`revision ${revision} does not follow ${this.#last}`);
      this.#last = revision;
      this.#waiting.push({ revision, changes, resolve, reject });
      this.#running ??= this.#drain();
    });
  }
  async close(): Promise<void> {
    await this.#running;
    if (this.#state === 'open') this.#state = 'closed';
  }
  async #drain(): Promise<void> {
    while (this.#waiting.length > 0 && this.#state === 'open') {
      await (this.#options.gate?.() ?? Promise.resolve());
      this.#transaction();
    }
    this.#running = undefined;
  }
  #transaction(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    const fault = this.#options.fault?.(++this.#count);
    if (fault === 'fail') {
      this.#last = this.#disk.revision;
      for (const w of batch) w.reject(new StoreError('the commit failed: injected'));
      return;
    }
    if (fault !== 'crash') for (const w of batch) this.#apply(w);
    if (fault) {
      this.#state = 'crashed';
      return;
    }
    for (const w of batch) w.resolve();
  }
  #apply(w: Waiting): void {
    for (const { table, key, value } of w.changes) {
      const rows = this.#disk.tables.get(table) ?? new Map<string, string>();
      this.#disk.tables.set(table, rows);
      if (value === null) rows.delete(key);
      else rows.set(key, value);
    }
    this.#disk.revision = w.revision;
  }
  #mustBeOpen(): void {
    if (this.#state === 'closed') throw new StoreError('the store is closed');
  }
}
