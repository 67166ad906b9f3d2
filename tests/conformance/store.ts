/** What every store must do. Each implementation's test calls this with a way to make a place and to open it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change, Store } from '../../src/store/store.ts';
import { StoreError } from '../../src/store/store.ts';

export interface StoreKind<P> {
  /** A new place without a store. */
  place(): Promise<P>;
  /** Opens the store there, making it when there is none. */
  open(place: P): Promise<Store>;
  remove(place: P): Promise<void>;
}
const put = (table: string, key: string, value: string | null): Change => ({ table, key, value });
async function all(store: Store, table: string): Promise<Record<string, string>> {
  const rows: [string, string][] = [];
  for await (const [k, v] of store.load(table)) rows.push([k, v]);
  assert.equal(new Set(rows.map(([k]) => k)).size, rows.length);
  return Object.fromEntries(rows);
}

export function describeStore<P>(name: string, kind: StoreKind<P>): void {
  const at = (title: string, f: (place: P) => Promise<void>) =>
    test(title, async () => {
      const place = await kind.place();
      try {
        await f(place);
      } finally {
        await kind.remove(place);
      }
    });
  const within = (title: string, f: (store: Store) => Promise<void>) =>
    at(title, async (place) => {
      const store = await kind.open(place);
      try {
        await f(store);
      } finally {
        await store.close();
      }
    });

  describe(`store: ${name}`, () => {
    within('a new store is empty, at revision 0', async (store) => {
      assert.equal(await store.revision(), 0);
      assert.deepEqual(await store.tables(), []);
      assert.deepEqual(await all(store, 'VM'), {});
    });
    at('what was committed is there after opening again', async (place) => {
      const store = await kind.open(place);
      await store.commit(5, [put('VM', 'a', '1'), put('VM', 'b', '2'), put('VBD', 'a', '3')]);
      await store.commit(6, [put('VM', 'a', null), put('VM', 'b', '4'), put('VM', 'absent', null)]);
      await store.close();
      const again = await kind.open(place);
      assert.equal(await again.revision(), 6);
      assert.deepEqual([...(await again.tables())].sort(), ['VBD', 'VM']);
      assert.deepEqual(await all(again, 'VM'), { b: '4' });
      assert.deepEqual(await all(again, 'VBD'), { a: '3' });
      await again.close();
    });
    within('a later change of a key in one commit wins', async (store) => {
      await store.commit(1, [put('t', 'k', '1'), put('t', 'k', null), put('t', 'k', '2'), put('t', 'l', '1')]);
      await store.commit(2, [put('t', 'l', '2'), put('t', 'l', null)]);
      assert.deepEqual(await all(store, 't'), { k: '2' });
    });
    within('commits are made in the order of the calls', async (store) => {
      const order: number[] = [];
      const calls = Array.from({ length: 50 }, (_, i) =>
        store.commit(i + 1, [put('t', 'k', `${i}`), put('t', `k${i}`, 'x')]).then(() => order.push(i)),
      );
      await Promise.all(calls);
      assert.deepEqual(
        order,
        Array.from({ length: 50 }, (_, i) => i),
      );
      assert.equal((await all(store, 't')).k, '49');
      assert.equal(await store.revision(), 50);
    });
    within('a commit without changes keeps its revision', async (store) => {
      await store.commit(3, []);
      assert.equal(await store.revision(), 3);
    });
    within('a revision that does not grow is refused', async (store) => {
      await store.commit(3, []);
      await assert.rejects(store.commit(3, [put('t', 'k', '1')]), StoreError);
      await assert.rejects(store.commit(2, []), StoreError);
      assert.deepEqual(await all(store, 't'), {});
    });
    within('values and keys are kept to the character', async (store) => {
      const texts = ['', ' ', '\'"`;--', 'line\nline', '\u0000', '𝄞 ü 漢', '__proto__', 'x'.repeat(300_000)];
      await store.commit(
        1,
        texts.map((v, i) => put('t', `${i}${v.slice(0, 20)}`, v)),
      );
      const found = await all(store, 't');
      for (const [i, v] of texts.entries()) assert.equal(found[`${i}${v.slice(0, 20)}`], v);
    });
    within('more rows than one page', async (store) => {
      const changes = Array.from({ length: 1024 }, (_, i) => put('t', `k${i}`, `v${i}`));
      await store.commit(1, changes);
      assert.equal(Object.keys(await all(store, 't')).length, 1024);
    });
    at('close waits for what was committed; afterwards everything is refused', async (place) => {
      const store = await kind.open(place);
      const commit = store.commit(1, [put('t', 'k', '1')]);
      await store.close();
      await commit;
      await store.close();
      await assert.rejects(store.commit(2, []), StoreError);
      await assert.rejects(store.tables(), StoreError);
      const again = await kind.open(place);
      assert.deepEqual(await all(again, 't'), { k: '1' });
      await again.close();
    });
  });
}
