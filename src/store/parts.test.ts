import assert from 'node:assert/strict';
import test from 'node:test';
import { emptyDisk, openMemoryStore } from './memory.ts';
import { splitStore } from './parts.ts';

test('parts keep their own revisions over one store, also after it was opened again', async () => {
  const disk = emptyDisk();
  const part = await splitStore(openMemoryStore({ disk }));
  const [a, b] = [part('a'), part('b')];
  await a.commit(1_000, [{ table: 'a1', key: 'k', value: 'v' }]);
  await b.commit(1, [{ table: 'b1', key: 'k', value: 'w' }]);
  await assert.rejects(async () => a.commit(1_000, []), /does not grow/);
  assert.deepEqual([await a.revision(), await b.revision()], [1_000, 1]);
  await a.close();
  await b.close();
  const again = await splitStore(openMemoryStore({ disk }));
  assert.equal(await again('a').revision(), 1_000);
  const rows: unknown[] = [];
  for await (const row of again('b').load('b1')) rows.push(row);
  assert.deepEqual(rows, [['k', 'w']]);
  assert.throws(() => again('b'), /open already/);
});

test('a commit that failed may be tried again with the same revision', async () => {
  const disk = emptyDisk();
  const part = await splitStore(openMemoryStore({ disk, fault: (n) => (n === 2 ? 'fail' : undefined) }));
  const a = part('a');
  await a.commit(5, []);
  const [first, second] = [a.commit(6, []), a.commit(7, [])];
  await assert.rejects(first, /injected/);
  await assert.rejects(second, /injected/);
  await a.commit(6, [{ table: 'a1', key: 'k', value: 'v' }]);
  await assert.rejects(async () => a.commit(6, []), /does not grow/);
  assert.equal(disk.tables.get('a1')?.get('k'), 'v');
});
