/** What every `Store` of contracts/xenstore.ts does: in process, over our socket, and over the sockets of other xenstoreds. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isKind } from '../../src/contracts/contract.ts';
import type { Store, StoreOperations } from '../../src/contracts/xenstore.ts';

export interface StoreUnderTest {
  /** A connection as domain 0; the tests use paths of their own below `/conformance`. */
  open(): Promise<Store>;
  /** Tests that this store does not pass, with the reason. */
  readonly skip?: Readonly<Record<string, string>>;
}

const refused = (code: string) => (error: unknown) => isKind(error, 'Store_error') && error.args['code'] === code;

/** Events of a watch, and a way to wait for the next ones. */
function events() {
  const seen: string[] = [];
  let wake: () => void = () => undefined;
  return {
    seen,
    changed(path: string) {
      seen.push(path);
      wake();
    },
    async until(done: (seen: readonly string[]) => boolean): Promise<void> {
      while (!done(seen)) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

export function describeStore(
  name: string,
  make: () => Promise<StoreUnderTest> | StoreUnderTest,
  known: Readonly<Record<string, string>> = {},
): void {
  describe(`store: ${name}`, () => {
    let store: Store;
    let other: Store;
    let serial = 0;
    let home = '';
    before(async () => {
      const under = await make();
      store = await under.open();
      other = await under.open();
    });
    after(async () => {
      await store?.rm('/conformance').catch(() => undefined);
      await store?.close();
      await other?.close();
    });
    const check = (title: string, body: () => Promise<void>) =>
      test(title, { skip: known[title] ?? false }, async () => {
        home = `/conformance/${++serial}`;
        await store.mkdir(home);
        await body();
      });

    check('a value is read as it was written, text and bytes', async () => {
      await store.write(`${home}/a/b`, 'grüezi');
      assert.equal(await store.read(`${home}/a/b`), 'grüezi');
      assert.equal(await store.read(`${home}/a`), '');
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      await store.write(`${home}/bytes`, bytes);
      assert.deepEqual(Uint8Array.from(await store.readBytes(`${home}/bytes`)), bytes);
    });
    check('what is not there is ENOENT, or undefined', async () => {
      await assert.rejects(store.read(`${home}/none`), refused('ENOENT'));
      assert.equal(await store.find(`${home}/none`), undefined);
      await assert.rejects(store.directory(`${home}/none`), refused('ENOENT'));
      await assert.rejects(store.rm(`${home}/none/below`), refused('ENOENT'));
      await store.rm(`${home}/none`);
    });
    check('names that cannot be are EINVAL', async () => {
      for (const path of ['', '/', 'a b', '/a//b', '/a/', '/é', '/a\0b', `/${'x'.repeat(3100)}`]) {
        if (path !== '/') await assert.rejects(store.read(path), refused('EINVAL'), JSON.stringify(path));
      }
      await assert.rejects(store.rm('/'), refused('EINVAL'));
    });
    check('what does not fit a packet is refused and harms nobody', async () => {
      await assert.rejects(store.write(`${home}/big`, 'x'.repeat(5000)), refused('E2BIG'));
      assert.equal(await store.find(`${home}/big`), undefined);
    });
    check('directories are sorted, large ones too', async () => {
      for (const each of ['b', 'c', 'a']) await store.mkdir(`${home}/small/${each}`);
      assert.deepEqual(await store.directory(`${home}/small`), ['a', 'b', 'c']);
      assert.deepEqual(await store.directory(`${home}/small/a`), []);
      const names = Array.from({ length: 300 }, (_, i) => `a-rather-long-name-${String(i).padStart(3, '0')}`);
      await Promise.all(names.map((each) => store.mkdir(`${home}/large/${each}`)));
      assert.deepEqual(await store.directory(`${home}/large`), names);
    });
    check('mkdir keeps a value, rm takes everything below', async () => {
      await store.write(`${home}/a`, 'kept');
      await store.mkdir(`${home}/a`);
      assert.equal(await store.read(`${home}/a`), 'kept');
      await store.write(`${home}/a/b/c`, '1');
      await store.rm(`${home}/a`);
      assert.equal(await store.find(`${home}/a/b/c`), undefined);
      assert.deepEqual(await store.directory(home), []);
    });
    check('permissions are kept and inherited', async () => {
      await store.write(`${home}/a`, '');
      await store.setPermissions(`${home}/a`, [{ domid: 0, access: 'r' }]);
      await store.write(`${home}/a/b`, '');
      assert.deepEqual(await store.permissions(`${home}/a/b`), [{ domid: 0, access: 'r' }]);
    });
    check('a transaction is all or nothing, and seen by others when it is over', async () => {
      await store.write(`${home}/n`, '1');
      const result = await store.transaction(async (inside) => {
        await inside.write(`${home}/n`, '2');
        await inside.write(`${home}/m`, '3');
        assert.equal(await inside.read(`${home}/n`), '2');
        assert.equal(await other.read(`${home}/n`), '1');
        return 'done';
      });
      assert.equal(result, 'done');
      assert.equal(await other.read(`${home}/m`), '3');
      await assert.rejects(
        store.transaction(async (inside) => {
          await inside.rm(`${home}/n`);
          throw new Error('on purpose');
        }),
        /on purpose/,
      );
      assert.equal(await store.read(`${home}/n`), '2');
    });
    check('a transaction that met a conflict runs again', async () => {
      await store.write(`${home}/n`, '0');
      let runs = 0;
      await store.transaction(async (inside) => {
        const n = Number(await inside.read(`${home}/n`));
        if (runs++ === 0) await other.write(`${home}/n`, '10');
        await inside.write(`${home}/n`, String(n + 1));
      });
      assert.equal(runs, 2);
      assert.equal(await store.read(`${home}/n`), '11');
    });
    check('counters incremented by two connections at once lose nothing', async () => {
      await store.write(`${home}/n`, '0');
      const add = async (inside: StoreOperations) =>
        inside.write(`${home}/n`, String(Number(await inside.read(`${home}/n`)) + 1));
      await Promise.all(
        [store, other].map(async (each) => {
          for (let i = 0; i < 20; i++) await each.transaction(add);
        }),
      );
      assert.equal(await store.read(`${home}/n`), '40');
    });
    check('a watch is told at first and of every change at or below, until it is ended', async () => {
      const watch = events();
      const end = await store.watch(`${home}/w`, watch.changed);
      await watch.until((seen) => seen.length > 0);
      assert.deepEqual(watch.seen, [`${home}/w`]);
      await other.write(`${home}/w/a`, '1');
      await watch.until((seen) => seen.includes(`${home}/w/a`));
      await other.rm(`${home}/w`);
      await watch.until((seen) => seen.at(-1) === `${home}/w`);
      await end();
      const told = watch.seen.length;
      await other.write(`${home}/w/a`, '2');
      await store.read('/');
      assert.equal(watch.seen.length, told);
    });
    check('two watches on one path are each told', async () => {
      const [one, two] = [events(), events()];
      const ends = [await store.watch(`${home}/w`, one.changed), await store.watch(`${home}/w`, two.changed)];
      await other.write(`${home}/w`, 'x');
      await one.until((seen) => seen.length >= 2);
      await two.until((seen) => seen.length >= 2);
      for (const end of ends) await end();
    });
    check('a watch with a depth is not told of what lies deeper', async () => {
      const watch = events();
      const end = await store.watch(`${home}/w`, watch.changed, { depth: 1 });
      await other.write(`${home}/w/a/deep`, '1');
      await other.write(`${home}/w/b`, '1');
      await watch.until((seen) => seen.includes(`${home}/w/b`));
      assert.ok(!watch.seen.includes(`${home}/w/a/deep`), watch.seen.join());
      await end();
    });
    check('domains: path, introduced or not', async () => {
      assert.equal(await store.domainPath(7), '/local/domain/7');
      assert.equal(await store.isIntroduced(77), false);
      await assert.rejects(store.release(77), (e) => isKind(e, 'Store_error'));
      await assert.rejects(store.resume(77), (e) => isKind(e, 'Store_error'));
    });
    check('many requests at once are each answered with their own', async () => {
      const all = Array.from({ length: 500 }, (_, i) => i);
      await Promise.all(all.map((i) => store.write(`${home}/many/${i}`, `v${i}`)));
      assert.deepEqual(
        await Promise.all(all.map((i) => store.read(`${home}/many/${i}`))),
        all.map((i) => `v${i}`),
      );
    });
    test('a closed connection refuses', { skip: known['a closed connection refuses'] ?? false }, async () => {
      await other.close();
      await assert.rejects(other.read('/'), (e) => isKind(e, 'Store_gone'));
    });
  });
}
