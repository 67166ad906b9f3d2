import assert from 'node:assert/strict';
import test from 'node:test';
import { stale } from '../../tools/emit-docs.ts';

test('docs/reference is what the declarations say (refresh: bin/node tools/emit-docs.ts)', () => {
  assert.deepEqual(stale(), []);
});
