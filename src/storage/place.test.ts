import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isKind } from '../contracts/contract.ts';
import { isFolder, makeFolder } from './place.ts';

test('folders are made with their parents, or refused with the reason', async (t) => {
  const above = await mkdtemp(join(tmpdir(), 'gh-place-'));
  t.after(() => rm(above, { recursive: true }));
  assert.equal(await makeFolder(join(above, 'a', 'b')), true);
  assert.equal(await makeFolder(join(above, 'a', 'b')), false);
  const file = join(above, 'file');
  await writeFile(file, '');
  const cases: [string, RegExp][] = [
    [file, /it is no folder; give another folder/],
    [join(file, 'x'), /it is no folder|it lies below a file/],
    ['/proc/guesthouse/x', /no folder can be made there|may not be made/],
  ];
  for (const [folder, why] of cases)
    await assert.rejects(makeFolder(folder), (e: Error) => isKind(e, 'Bad_config') && why.test(e.message));
  assert.equal(await isFolder(join(file, 'x')), false);
});
