/** A durable key-value store with revisions: the ground under `db` and the daemons' own records. */
export interface Change {
  readonly table: string;
  readonly key: string;
  /** Null removes the key. */
  readonly value: string | null;
}
export interface Store {
  /** Everything in a table, in no particular order. */
  load(table: string): AsyncIterable<readonly [key: string, value: string]>;
  tables(): Promise<readonly string[]>;
  /**
   * Writes all changes or none; resolves when they are durable. Commits are made in the order of the calls, several calls
   * may share one; `revision` must grow with every call and is what `revision()` answers after a restart.
   */
  commit(revision: number, changes: readonly Change[]): Promise<void>;
  /** The revision of the last durable commit; 0 for a new store. */
  revision(): Promise<number>;
  /** Waits for what was committed, then lets go of the store. */
  close(): Promise<void>;
}
/** The store was made by a newer version, or is damaged: it is left as it is. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}
