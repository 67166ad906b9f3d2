/** One VM, all doors, on real QEMU: what xenvm's file describes is paused, stopped and started by every other door. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { oneVm } from '../scenario/all-doors.ts';
import { doorsBed } from '../scenario/doors-bed.ts';
import { cannotRun } from './host.ts';

const skip = cannotRun() ?? false;
const folder = join(import.meta.dirname, '../../build/guest');

test('one VM, all doors, on QEMU: added by xenvm', { skip }, async () => {
  const m = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Record<
    'kernel' | 'ramdisk' | 'cmdline',
    string
  >;
  const guest = { kernel: join(folder, m.kernel), ramdisk: join(folder, m.ramdisk), cmdline: m.cmdline };
  await using bed = await doorsBed(guest, { hypervisor: 'qemu' });
  await oneVm(bed, 'xenvm');
});
