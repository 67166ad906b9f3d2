import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../wire/format-error.ts';
import { type FormatName, taken, written } from './exchange.ts';
import { MemoryDisk } from './memory-disk.ts';

const sector = 512;
/** Disks of some MiB, at any number of sectors, with data at some places. */
const disks = fc
  .record({
    sectors: fc.integer({ min: 1, max: 12_000 }),
    pieces: fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        length: fc.integer({ min: 1, max: 300_000 }),
        fill: fc.integer({ min: 1, max: 255 }),
      }),
      { maxLength: 6 },
    ),
  })
  .map(({ sectors, pieces }) => {
    const disk = new MemoryDisk(sectors * sector);
    for (const { at, length, fill } of pieces) {
      const start = Math.floor(at * disk.size);
      for (let i = start; i < Math.min(start + length, disk.size); i++) disk.bytes[i] = (i * fill) & 255;
    }
    return disk;
  });
const names: readonly FormatName[] = ['raw', 'framed', 'vhd', 'qcow2', 'vmdk', 'vmdk-stored'];

for (const format of names)
  test(`${format}: what is written is read again, however it is cut`, async () => {
    await fc.assert(
      fc.asyncProperty(disks, fc.integer({ min: 1000, max: 200_000 }), async (disk, part) => {
        const { file, length } = await written(format, disk);
        if (length !== null) assert.equal(file.length, length);
        const again = await taken(format, file, { size: disk.size, part });
        assert.ok(again.bytes.equals(disk.bytes));
      }),
      { numRuns: 30 },
    );
  });

for (const format of ['raw', 'vhd', 'qcow2', 'vmdk-stored'] as const)
  test(`${format}: a file can be begun at any byte`, async () => {
    await fc.assert(
      fc.asyncProperty(disks, fc.double({ min: 0, max: 1, noNaN: true }), async (disk, share) => {
        const { file } = await written(format, disk);
        const from = Math.floor(share * file.length);
        assert.ok((await written(format, disk, { from })).file.equals(file.subarray(from)));
      }),
      { numRuns: 20 },
    );
  });

for (const format of ['vhd', 'framed'] as const)
  test(`${format}: differences make the one disk of the other`, async () => {
    await fc.assert(
      fc.asyncProperty(disks, disks, async (disk, other) => {
        const base = new MemoryDisk(disk.size, other.bytes.subarray(0, disk.size));
        const { file } = await written(format, disk, { base });
        const again = await taken(format, file, { size: disk.size, base });
        assert.ok(again.bytes.equals(disk.bytes));
      }),
      { numRuns: 30 },
    );
  });

test('a fixed VHD is content and a footer', async () => {
  const { writeFooter } = await import('../../wire/vhd.ts');
  const disk = new MemoryDisk(700 * sector);
  disk.bytes.write('conectix is how this disk begins');
  disk.bytes.fill(7, 300_000);
  const footer = writeFooter({ kind: 'fixed', size: disk.size, id: '6f2b1d3c-0a1b-4c2d-8e3f-123456789abc' });
  disk.bytes.set(footer, 0);
  const again = await taken('vhd', Buffer.concat([disk.bytes, footer]), { size: disk.size, part: 777 });
  assert.ok(again.bytes.equals(disk.bytes));
  await assert.rejects(taken('vhd', disk.bytes, { size: disk.size }), /there is no footer/);
});

test('a file that is cut short is refused', async () => {
  const disk = new MemoryDisk(6 << 20);
  for (let i = 0; i < disk.size; i += 3) disk.bytes[i] = i & 255;
  for (const format of ['framed', 'vhd', 'qcow2', 'vmdk'] as const) {
    const { file } = await written(format, disk);
    for (const share of [0, 0.001, 0.3, 0.9])
      await assert.rejects(
        taken(format, file.subarray(0, Math.floor(file.length * share)), { size: disk.size }),
        (error) => error instanceof FormatError,
        `${format} ${share}`,
      );
    await assert.rejects(taken(format, file, { size: disk.size / 2 }), FormatError, `${format} is too large`);
  }
});
