import assert from 'node:assert/strict';
import { type FileHandle, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { kernelEntry, kernelExtent } from './kernel.ts';
import { probeKernel } from './probe-payload.ts';

const entryOf = (content: Buffer) => asked(content, kernelEntry);
async function asked<T>(content: Buffer, ask: (file: FileHandle) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'kernel-'));
  try {
    await writeFile(join(folder, 'k'), content);
    await using file = await open(join(folder, 'k'));
    return await ask(file);
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
test('how much memory a kernel takes is read from its segments, or from the header of a bzImage', async () => {
  const elf = probeKernel();
  // Of its first segment: where it goes, and how much it takes.
  elf.writeUInt32LE(16 << 20, 52 + 12);
  elf.writeUInt32LE(5 << 20, 52 + 20);
  assert.equal(await asked(elf, kernelExtent), 21 << 20);
  const image = Buffer.alloc(1024);
  image.write('HdrS', 0x202, 'latin1');
  image.writeUInt16LE(0x20f, 0x206);
  image.writeUInt32LE(40 << 20, 0x260);
  assert.equal(await asked(image, kernelExtent), 41 << 20);
  image.writeUInt16LE(0x200, 0x206);
  assert.equal(await asked(image, kernelExtent), 0);
  assert.equal(await asked(Buffer.alloc(10), kernelExtent), 0);
});
