import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { doorsOf, oneVm } from './all-doors.ts';
import { doorsBed } from './doors-bed.ts';

test('one VM, all doors, on the simulator', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'gh-doors-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ['vmlinux', 'initramfs']) writeFileSync(join(folder, name), '');
  const guest = { kernel: join(folder, 'vmlinux'), ramdisk: join(folder, 'initramfs'), cmdline: 'console=ttyS0' };
  await using bed = await doorsBed(guest);
  for (const door of doorsOf(bed)) await t.test(`added by ${door.name}`, () => oneVm(bed, door));
});
