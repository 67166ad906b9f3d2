/** One VM, all doors, on real Xen: a VM that any door adds is paused, stopped and started by every other. In dom0. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { adders, oneVm } from '../scenario/all-doors.ts';
import { doorsBed } from '../scenario/doors-bed.ts';
import { withoutXen } from './xen-bench.ts';

const skip = withoutXen() ?? false;
const folder = process.env['GUESTHOUSE_GUEST'] ?? join(import.meta.dirname, '../../build/guest');

for (const adder of adders)
  test(`one VM, all doors, on Xen: added by ${adder}`, { skip }, async () => {
    type Manifest = Record<'kernel' | 'ramdisk' | 'cmdline', string>;
    const m = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest;
    const guest = { kernel: join(folder, m.kernel), ramdisk: join(folder, m.ramdisk), cmdline: m.cmdline };
    await using bed = await doorsBed(guest, { hypervisor: 'xen' });
    await oneVm(bed, adder);
  });
