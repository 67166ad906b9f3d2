/**
 * Who has which disk: guests (durable, known after a restart) and our own work (copies, transfers; gone with us).
 * One writer, or any number of readers.
 */
import { storageErrors } from '../contracts/storage.ts';
import type { Store } from '../store/store.ts';

export interface Use {
  readonly sr: string;
  readonly vdi: string;
  readonly user: string;
  readonly mode: 'RO' | 'RW';
  readonly uid?: number;
  readonly gid?: number;
  /** A snapshot `to` is being taken: what the user wrote before it goes over to the new layer is in `base`. */
  readonly frozen?: { readonly to: string; readonly base: string } | undefined;
}
const table = 'storage.uses';
const keyOf = (sr: string, vdi: string) => `${sr}/${vdi}`;

/** Writes rows of one store in the order of the calls. */
export class Rows {
  readonly #store: Store;
  #revision: number;
  private constructor(store: Store, revision: number) {
    this.#store = store;
    this.#revision = revision;
  }
  static async open(store: Store): Promise<Rows> {
    return new Rows(store, await store.revision());
  }
  put(rows: string, key: string, value: unknown): Promise<void> {
    return this.#store.commit(++this.#revision, [{ table: rows, key, value: JSON.stringify(value) }]);
  }
  remove(rows: string, key: string): Promise<void> {
    return this.#store.commit(++this.#revision, [{ table: rows, key, value: null }]);
  }
  async *load<T>(rows: string): AsyncIterable<readonly [string, T]> {
    for await (const [key, value] of this.#store.load(rows)) yield [key, JSON.parse(value) as T];
  }
}

export class Uses {
  readonly #rows: Rows;
  readonly #guests = new Map<string, Map<string, Use>>();
  readonly #work = new Map<string, Map<string, Use>>();

  constructor(rows: Rows) {
    this.#rows = rows;
  }
  async load(): Promise<void> {
    for await (const [, use] of this.#rows.load<Use>(table)) put(this.#guests, use);
  }
  /** The guests' uses. */
  list(sr?: string): readonly Use[] {
    const all = [...this.#guests.values()].flatMap((users) => [...users.values()]);
    return sr === undefined ? all : all.filter((use) => use.sr === sr);
  }
  /** Everybody who uses a repository, our own work included. */
  usersOf(sr: string): readonly string[] {
    const all = [this.#guests, this.#work].flatMap((map) => [...map.values()].flatMap((m) => [...m.values()]));
    return all.filter((use) => use.sr === sr).map((use) => use.user);
  }
  of(sr: string, vdi: string): readonly Use[] {
    const key = keyOf(sr, vdi);
    return [...(this.#guests.get(key)?.values() ?? []), ...(this.#work.get(key)?.values() ?? [])];
  }
  find(sr: string, vdi: string, user: string): Use | undefined {
    return this.#guests.get(keyOf(sr, vdi))?.get(user);
  }
  /** Vdi_in_use unless nobody uses the disk in a way that `mode` cannot share. */
  check(sr: string, vdi: string, mode: 'RO' | 'RW'): void {
    const other = this.of(sr, vdi).find((use) => mode === 'RW' || use.mode === 'RW');
    if (other) throw storageErrors.make('Vdi_in_use', { vdi, user: other.user });
  }
  /** Durable when it answers. */
  async open(use: Use): Promise<void> {
    this.check(use.sr, use.vdi, use.mode);
    put(this.#guests, use);
    await this.#rows.put(table, `${keyOf(use.sr, use.vdi)}/${use.user}`, use);
  }
  /** The same use, otherwise: by another user of the host (a guest that was started again), or frozen. */
  async reopen(use: Use): Promise<void> {
    put(this.#guests, use);
    await this.#rows.put(table, `${keyOf(use.sr, use.vdi)}/${use.user}`, use);
  }
  async close(sr: string, vdi: string, user: string): Promise<void> {
    take(this.#guests, keyOf(sr, vdi), user);
    await this.#rows.remove(table, `${keyOf(sr, vdi)}/${user}`);
  }
  /** Takes a disk for our own work; the answer lets go of it. */
  hold(sr: string, vdi: string, user: string, mode: 'RO' | 'RW'): () => void {
    this.check(sr, vdi, mode);
    put(this.#work, { sr, vdi, user, mode });
    return () => take(this.#work, keyOf(sr, vdi), user);
  }
}
function put(map: Map<string, Map<string, Use>>, use: Use): void {
  const key = keyOf(use.sr, use.vdi);
  const users = map.get(key) ?? new Map<string, Use>();
  users.set(use.user, use);
  map.set(key, users);
}
function take(map: Map<string, Map<string, Use>>, key: string, user: string): void {
  const users = map.get(key);
  users?.delete(user);
  if (users?.size === 0) map.delete(key);
}
