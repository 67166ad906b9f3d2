/** Mutated xenvm files, briefly; `xenvm-soak.ts` runs a million. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { soakXenvm } from './xenvm-soak.ts';

test('mutated files are refused by place, or described, and their fields read and set', () => {
  const { taken, refused } = soakXenvm(10_000, 11);
  assert.ok(taken > 200 && refused > 3000, `${taken} taken, ${refused} refused`);
});
