/**
 * One store shared by several rooms: each sees its own revisions and its own tables (which must not overlap), and commits of
 * different rooms share one write to the disk.
 */
import type { Change, Store } from './store.ts';
import { StoreError } from './store.ts';

const table = 'part_revision';

/** Splits a store. Closing the last open part closes the store itself. */
export async function splitStore(store: Store): Promise<(name: string) => Store> {
  const known = new Map<string, number>();
  for await (const [name, text] of store.load(table)) known.set(name, Number(text));
  const durable = new Map(known);
  let counter = await store.revision();
  const open = new Set<string>();
  const commit = (name: string, revision: number, changes: readonly Change[]): Promise<void> => {
    if (revision <= (known.get(name) ?? 0)) throw new StoreError(`revision ${revision} of ${name} does not grow`);
    known.set(name, revision);
    counter++;
    return store.commit(counter, [...changes, { table, key: name, value: String(revision) }]).then(
      () => void durable.set(name, revision),
      (e: unknown) => {
        // What failed may be tried again with the same revision.
        known.set(name, durable.get(name) ?? 0);
        throw e;
      },
    );
  };
  return (name) => {
    if (open.has(name)) throw new StoreError(`the part ${name} of the store is open already`);
    open.add(name);
    return {
      load: (t) => store.load(t),
      tables: async () => (await store.tables()).filter((t) => t !== table),
      commit: (revision, changes) => commit(name, revision, changes),
      revision: async () => known.get(name) ?? 0,
      async close() {
        if (open.delete(name) && open.size === 0) await store.close();
      },
    };
  };
}
