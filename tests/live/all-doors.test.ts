/** One VM, all doors, on real QEMU: a VM that any door adds is paused, stopped and started by every other. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { adders, oneVm } from '../scenario/all-doors.ts';
import { doorsBed } from '../scenario/doors-bed.ts';
import { cannotRun } from './host.ts';

const skip = cannotRun() ?? false;
const folder = join(import.meta.dirname, '../../build/guest');

for (const adder of adders)
  test(`one VM, all doors, on QEMU: added by ${adder}`, { skip }, async () => {
    type Manifest = Record<'kernel' | 'ramdisk' | 'cmdline', string>;
    const m = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest;
    const guest = { kernel: join(folder, m.kernel), ramdisk: join(folder, m.ramdisk), cmdline: m.cmdline };
    await using bed = await doorsBed(guest, { hypervisor: 'qemu' });
    await oneVm(bed, adder);
  });
