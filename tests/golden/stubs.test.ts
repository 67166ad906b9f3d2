/** The stubs in the tree are those that xc-rpcgen makes of the descriptions in `idl/`. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { generated, stubs } from '../../tools/emit-stubs.ts';

test('stubs are up to date: bin/node tools/emit-stubs.ts', () => {
  const made = stubs();
  assert.deepEqual(readdirSync(generated).sort(), made.map(([file]) => file).sort());
  for (const [file, text] of made) assert.equal(readFileSync(join(generated, file), 'utf8'), text, file);
});
