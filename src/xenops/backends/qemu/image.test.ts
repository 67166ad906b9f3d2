import assert from 'node:assert/strict';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { crc32 } from 'node:zlib';
import { isKind } from '../../../contracts/contract.ts';
import { readHeader, spoil, writeHeader } from './image.ts';
import { recordOf, specOf } from './testing.ts';

const stream = Buffer.alloc(3 << 20, 'state of a guest ');
const record = recordOf(specOf());

async function image(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'gh-image-'));
  const file = await open(join(folder, 'image'), 'w+');
  t.after(async () => {
    await file.close();
    await rm(folder, { recursive: true });
  });
  const start = await writeHeader(file, record);
  await file.write(stream, 0, stream.length, start);
  return { file, start, finish: () => writeHeader(file, record, { length: stream.length, crc: crc32(stream) }) };
}
const refused = (why: RegExp) => (error: Error) => isKind(error, 'Io_error') && why.test(error.message);

test('a header is read as it was written', async (t) => {
  const { file, start, finish } = await image(t);
  await assert.rejects(readHeader(file, 'it'), refused(/not written to its end/));
  await finish();
  const found = await readHeader(file, 'it');
  assert.deepEqual(found, { record, start, length: stream.length, crc: crc32(stream) });
  await spoil(file);
  await assert.rejects(readHeader(file, 'it'), refused(/does not begin like one/));
});

test('a byte that differs anywhere but in the middle of the memory is seen before a guest is made', async (t) => {
  const { file, start, finish } = await image(t);
  await finish();
  for (const at of [0, 24, 33, 41, 48, 60, 70, 500, start + stream.length - 1, start + stream.length - 70_000]) {
    const [was, other] = [Buffer.alloc(1), Buffer.alloc(1)];
    await file.read(was, 0, 1, at);
    other[0] = (was[0] ?? 0) ^ 0x10;
    await file.write(other, 0, 1, at);
    await assert.rejects(readHeader(file, 'it'), refused(/no saved guest: /), `byte ${at}`);
    await file.write(was, 0, 1, at);
  }
  await readHeader(file, 'it');
  await file.truncate(start + stream.length - 1);
  await assert.rejects(readHeader(file, 'it'), refused(/cut off/));
});

test('images of the version before have no sums; those of a later one are refused', async (t) => {
  const { file, finish } = await image(t);
  await finish();
  await file.write(Buffer.from('guesthouse saved guest 1\n'), 0, 25, 0);
  assert.equal((await readHeader(file, 'it')).crc, undefined);
  await file.write(Buffer.from('guesthouse saved guest 3\n'), 0, 25, 0);
  await assert.rejects(readHeader(file, 'it'), refused(/version 3 is not known/));
});
