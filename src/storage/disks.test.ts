import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKind } from '../contracts/contract.ts';
import { diskSize } from './disks.ts';

test('sizes are rounded up to whole units and bounded', () => {
  assert.equal(diskSize(1, 512), 512);
  assert.equal(diskSize(1024, 512), 1024);
  assert.equal(diskSize(1025, 1), 1025);
  for (const size of [0, -1, 1.5, Number.NaN, 2 ** 47])
    assert.throws(
      () => diskSize(size, 512),
      (error) => isKind(error, 'Bad_size'),
    );
});
