/** Mutated disk files, archives and descriptors, briefly; `disk-files-soak.ts` runs a million. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { soakFiles } from './disk-files-soak.ts';

test('mutated files are taken or refused with a reason', async () => {
  const { taken, refused } = await soakFiles(3000, 11);
  assert.ok(taken > 300 && refused > 1000, `${taken} taken, ${refused} refused`);
});
