import assert from 'node:assert/strict';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { kernelEntry } from './kernel.ts';
import { probeKernel } from './probe-payload.ts';

async function entryOf(content: Buffer): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'kernel-'));
  try {
    await writeFile(join(folder, 'k'), content);
    await using file = await open(join(folder, 'k'));
    return await kernelEntry(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('an ELF file with the note of a PVH entry is a kernel, one without is not', async () => {
  assert.equal(await entryOf(probeKernel()), 'pvh');
  const other = probeKernel();
  other.writeUInt32LE(6, 124); // another type of note
  assert.equal(await entryOf(other), undefined);
});
test('a bzImage is known by its header', async () => {
  const image = Buffer.alloc(1024);
  image.write('HdrS', 0x202, 'latin1');
  assert.equal(await entryOf(image), 'bzimage');
});
test('anything else is no kernel, however damaged', async () => {
  for (const content of [Buffer.alloc(0), Buffer.from('#!/bin/sh\n'), Buffer.alloc(2000, 0xff)])
    assert.equal(await entryOf(content), undefined);
  for (let cut = 4; cut < 140; cut += 8) assert.equal(await entryOf(probeKernel().subarray(0, cut)), undefined);
});
