/** Mutated xl files, briefly; `xl-soak.ts` runs a million. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { soakXl } from './xl-soak.ts';

test('mutated files are refused by place, or described, written and read again the same', () => {
  const { taken, refused } = soakXl(10_000, 11);
  assert.ok(taken > 200 && refused > 5000, `${taken} taken, ${refused} refused`);
});
