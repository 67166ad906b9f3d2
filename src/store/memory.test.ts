import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyDisk, openMemoryStore } from './memory.ts';

test('a commit that fails takes those that wait behind it along; the next one works', async () => {
  const disk = emptyDisk();
  const store = openMemoryStore({ disk, fault: (n) => (n === 1 ? 'fail' : undefined) });
  const first = store.commit(1, [{ table: 't', key: 'a', value: '1' }]);
  const second = store.commit(2, [{ table: 't', key: 'b', value: '1' }]);
  await assert.rejects(first, /injected/);
  await assert.rejects(second, /injected/);
  await store.commit(1, [{ table: 't', key: 'c', value: '1' }]);
  assert.deepEqual([...(disk.tables.get('t') ?? [])], [['c', '1']]);
});

test('after a crash nothing is answered; what is on the disk depends on when', async () => {
  for (const [fault, rows] of [
    ['crash', 0],
    ['crash-after', 1],
  ] as const) {
    const disk = emptyDisk();
    const store = openMemoryStore({ disk, fault: () => fault });
    let answered = false;
    store.commit(1, [{ table: 't', key: 'a', value: '1' }]).then(
      () => (answered = true),
      () => (answered = true),
    );
    await new Promise(setImmediate);
    assert.equal(answered, false);
    assert.equal(disk.tables.get('t')?.size ?? 0, rows);
  }
});
