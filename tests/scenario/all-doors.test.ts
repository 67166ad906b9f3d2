import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { adders, oneVm } from './all-doors.ts';
import { doorsBed } from './doors-bed.ts';

for (const adder of adders)
  test(`one VM, all doors, on the simulator: added by ${adder}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'gh-doors-'));
    t.after(() => rmSync(folder, { recursive: true }));
    for (const name of ['vmlinux', 'initramfs']) writeFileSync(join(folder, name), '');
    const guest = { kernel: join(folder, 'vmlinux'), ramdisk: join(folder, 'initramfs'), cmdline: 'console=ttyS0' };
    await using bed = await doorsBed(guest);
    await oneVm(bed, adder);
  });
