/** A VM that QEMU cannot run is refused with the field at fault and its value, never in QEMU's words or as an internal error. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { ApiError } from '../../src/datamodel/errors.ts';
import { jsonDriver } from '../scenario/drivers.ts';
import { testHouse } from '../scenario/house.ts';
import { cannotRun } from './host.ts';

const folder = join(import.meta.dirname, '../../build/guest');
const image = () => {
  const m = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Record<
    'kernel' | 'ramdisk' | 'cmdline',
    string
  >;
  return { kernel: join(folder, m.kernel), ramdisk: join(folder, m.ramdisk), cmdline: m.cmdline };
};
const mib = 1 << 20;

test('what QEMU cannot run is refused by field and value', { skip: cannotRun() ?? false }, async () => {
  await using h = await testHouse({ hypervisor: 'qemu', guest: image() });
  const d = await jsonDriver(h);
  const { db, root } = h.house;
  const vm = db.byUuid('VM', await d.install('Tiny Linux', 'one'));
  const refused = async (field: string, value: string, reason: RegExp) => {
    await assert.rejects(root('VM.start', vm, false, false), (e) => {
      assert.ok(e instanceof ApiError, String(e));
      assert.deepEqual(e.wire.slice(0, 3), ['VALUE_NOT_SUPPORTED', field, value]);
      assert.match(String(e.wire[3]), reason);
      return true;
    });
    assert.equal(db.get('VM', vm).power_state, 'Halted');
  };
  const given = { ...db.get('VM', vm).platform };
  for (const [key, value] of Object.entries({ machine: 'vax', vga: 'ega', nic_type: 'ne2k', disk_bus: 'mfm' })) {
    await root('VM.set_platform', vm, { ...given, [key]: value });
    await refused(`platform:${key}`, value, /it may be /);
  }
  await root('VM.set_platform', vm, given);
  const memory = (bytes: number) => root('VM.set_memory_limits', vm, mib, bytes, bytes, bytes);
  for (const size of [4 * mib, 32 * mib]) {
    await memory(size);
    await refused('memory_static_max', String(size), /alone take \d+ MiB, and the VM has \d+ MiB/);
  }
  await memory(192 * mib);
  const sr = [...db.rows('SR')].find(([, row]) => row.type === 'file')?.[0] ?? '';
  const vdi = {
    name_label: 'd',
    name_description: '',
    SR: sr,
    virtual_size: mib,
    type: 'user',
    sharable: false,
    read_only: false,
    other_config: {},
  };
  const VDI = await root('VDI.create', vdi);
  const drive = { userdevice: '5', bootable: false, mode: 'RW', type: 'Disk', unpluggable: true, empty: false };
  const vbd = await root('VBD.create', {
    ...{ VM: vm, VDI, ...drive, other_config: {} },
    ...{ qos_algorithm_type: 'ratelimit', qos_algorithm_params: { bsp: '5' } },
  });
  await refused('qos_algorithm_params:bsp', '5', /there are kbps/);
  await root('VBD.set_qos_algorithm_params', vbd, { kbps: '1000' });
  await root('VM.start', vm, false, false);
  assert.equal(db.get('VM', vm).power_state, 'Running');
  await root('VM.hard_shutdown', vm);
});
