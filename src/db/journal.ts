/**
 * What happens to a write after memory has it: it goes to the store, becomes durable, and is then reported.
 *
 *   written ──▶ sent ──▶ durable ──▶ logged, listeners told      in the order of revisions
 *      ▲          │
 *      └─ unsent ◀┘  the store failed: waiters are told, the changes stay and go with the next attempt
 *
 * A write that touches nothing persistent is durable as soon as all earlier ones are.
 */
import type { Log } from '../base/log.ts';
import type { Change, Store } from '../store/store.ts';
import type { ChangeLog, LoggedChange } from './change-log.ts';

interface Entry {
  readonly revision: number;
  readonly changes: readonly Change[];
  readonly events: readonly LoggedChange[];
  state: 'unsent' | 'sent' | 'durable';
}
interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
  readonly reject: (e: unknown) => void;
}
export type Listener = (events: readonly LoggedChange[], revision: number) => void;

export class Journal {
  readonly #store: Store;
  readonly #log: Log;
  readonly #changes: ChangeLog;
  readonly #listeners = new Set<Listener>();
  /** Everything that is not settled, oldest first. */
  #entries: Entry[] = [];
  /** What a failed commit left behind. */
  #unsent: Entry[] = [];
  #waiters: Waiter[] = [];
  #settled: number;
  #written: number;
  #wake = false;

  constructor(store: Store, log: Log, changes: ChangeLog, revision: number) {
    this.#store = store;
    this.#log = log;
    this.#changes = changes;
    this.#settled = revision;
    this.#written = revision;
  }
  get settled(): number {
    return this.#settled;
  }
  get written(): number {
    return this.#written;
  }
  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  /** Takes a write with its revision, which must be the next. `stored`: the store is told even when `changes` is empty. */
  append(revision: number, changes: readonly Change[], events: readonly LoggedChange[], stored = false): void {
    this.#written = revision;
    const toStore = stored || changes.length > 0;
    const entry: Entry = { revision, changes, events, state: toStore ? 'sent' : 'durable' };
    this.#entries.push(entry);
    if (toStore) this.#send([...this.#unsent.splice(0), entry]);
    else this.#soon();
  }
  /** Answers when all that was written so far is durable; rejects when the store fails meanwhile. */
  durable(): Promise<void> {
    if (this.#entries.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ revision: this.#written, resolve, reject });
      if (this.#unsent.length > 0) this.#send(this.#unsent.splice(0));
    });
  }

  /** Sends writes as one commit: after a failure these are several, the last value of each key winning. */
  #send(entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (!last) return;
    for (const e of entries) e.state = 'sent';
    const done = () => {
      for (const e of entries) e.state = 'durable';
      this.#settle();
    };
    const changes = entries.length === 1 ? last.changes : merged(entries);
    this.#commit(last.revision, changes).then(done, (error: unknown) => this.#failed(entries, error));
  }
  async #commit(revision: number, changes: readonly Change[]): Promise<void> {
    await this.#store.commit(revision, changes);
  }
  #failed(entries: readonly Entry[], error: unknown): void {
    // The store gives up everything that waits when one commit fails: only the first failure is news.
    if (entries.every((e) => e.state !== 'sent')) return;
    this.#unsent = this.#entries.filter((e) => e.state === 'sent');
    for (const e of this.#unsent) e.state = 'unsent';
    this.#log.error('writing to the store failed; it is tried again with the next write', { error: String(error) });
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const w of waiters) w.reject(error);
  }
  #soon(): void {
    if (this.#wake) return;
    this.#wake = true;
    queueMicrotask(() => {
      this.#wake = false;
      this.#settle();
    });
  }
  #settle(): void {
    const ready = this.#entries.findIndex((e) => e.state !== 'durable');
    const done = this.#entries.splice(0, ready < 0 ? this.#entries.length : ready);
    for (const e of done) {
      this.#settled = e.revision;
      this.#changes.append(e.events);
      for (const listener of this.#listeners) this.#tell(listener, e);
    }
    const answered = this.#waiters.filter((w) => w.revision <= this.#settled);
    if (answered.length === 0) return;
    this.#waiters = this.#waiters.filter((w) => w.revision > this.#settled);
    for (const w of answered) w.resolve();
  }
  #tell(listener: Listener, e: Entry): void {
    try {
      listener(e.events, e.revision);
    } catch (error) {
      this.#log.error('a listener to the database failed', { error: String(error), revision: e.revision });
    }
  }
}

function merged(entries: readonly Entry[]): Change[] {
  const byKey = new Map<string, Change>();
  for (const e of entries) for (const c of e.changes) byKey.set(`${c.table}/${c.key}`, c);
  return [...byKey.values()];
}
