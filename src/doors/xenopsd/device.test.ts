import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import type { VmSpec } from '../../contracts/xenops.ts';
import { findVbd, macOf, vbdOf, vbdSpecOf, vifOf, vifSpecOf } from './device.ts';
import { type Vm, vbdT, vifT, vmT } from './types.ts';
import { describe, specOf, vmOf } from './vm.ts';

const id = '00000000-0000-4000-8000-000000000001';
const vm: Vm = vmT.decode(
  {
    ...{ id, name: 'a', ssidref: 0, xsdata: {}, platformdata: { acpi: '1' }, bios_strings: {} },
    ...{ ty: ['hvm', { BOOT_ORDER: 'dc', keymap: 'de' }], suppress_spurious_page_faults: false },
    ...{ memory_static_max: 4096, memory_dynamic_max: 4096, memory_dynamic_min: 2048, vcpu_max: 2, vcpus: 1 },
    ...{ scheduler_params: { priority: [[256, 50]].flat(), affinity: [[0, 1], [1]] } },
    ...{ on_crash: ['Coredump', 'start'], on_shutdown: ['Shutdown'], on_reboot: ['Start'] },
    ...{ pci_msitranslate: true, pci_power_mgmt: false, unknown: 7 },
  },
  'vm',
);

test('a record becomes a description, and comes back as it was given', () => {
  const spec = specOf(vm, undefined);
  assert.deepEqual([spec.boot, spec.onCrash, spec.domainType], [{ kind: 'bios', order: 'dc' }, 'restart', 'hvm']);
  assert.deepEqual(spec.platform, { keymap: 'de', weight: '256', cap: '50', mask: '0-1', acpi: '1' });
  assert.deepEqual(vmOf(spec), vm);
});

test('what somebody else changes in the description is in the record; the rest stays', () => {
  const changed: VmSpec = {
    ...specOf(vm, undefined),
    name: 'b',
    boot: { kind: 'uefi', order: 'c', secureBoot: false },
    onPoweroff: 'preserve',
  };
  const back = vmOf(changed);
  assert.deepEqual([back.name, back.on_shutdown, back.scheduler_params], ['b', ['Pause'], vm.scheduler_params]);
  assert.deepEqual(describe(back).boot, changed.boot);
  const { notes: _, ...bare } = changed;
  assert.deepEqual(describe(vmOf(bare)).boot, changed.boot);
});

test('devices: by name, by another name of the number, and back', () => {
  const spec = specOf(vm, undefined);
  const vbd = vbdT.decode(
    { id: [id, 'hda'], backend: ['local', '/a'], extra_private_keys: { format: 'qcow2' } },
    'vbd',
  );
  const described = vbdSpecOf(vbd, spec);
  assert.deepEqual([described.position, described.media], [0, { kind: 'path', path: '/a', format: 'qcow2' }]);
  const withDisk = { ...spec, vbds: [described] };
  for (const name of ['hda', 'xvda', 'd0']) assert.equal(findVbd(withDisk, name).id, described.id);
  assert.throws(() => findVbd(withDisk, 'hdb'), /Does_not_exist/);
  assert.deepEqual(vbdOf(id, described), { ...vbd, position: ['Ide', 0, 0] });
  const vif = vifT.decode({ id: [id, '0'], mac: '00:16:3E:00:00:01', rate: [51200, 50000] }, 'vif');
  const nic = vifSpecOf(vif, spec);
  assert.deepEqual([nic.rateKib, nic.bridge, nic.mac], [1000, 'xenbr0', '00:16:3e:00:00:01']);
  assert.deepEqual(vifOf(id, nic), { ...vif, mac: '00:16:3e:00:00:01' });
  for (const locking_mode of ['Disabled', ['Locked', { ipv4: ['10.0.0.1'], ipv6: ['fd00::1'] }]] as const) {
    const locked = vifSpecOf({ ...vif, locking_mode }, spec);
    assert.equal(locked.lock?.mode, locking_mode === 'Disabled' ? 'disabled' : 'locked');
    assert.deepEqual(vifOf(id, locked).locking_mode, locking_mode);
  }
  assert.throws(() => vifSpecOf({ ...vif, vlan: 7 }, spec), /Unimplemented/);
});

test('addresses: random ones are local and for one receiver; an empty one follows from VM and position', () => {
  const first = Number.parseInt(macOf({ mac: 'random', position: 0 }, id).slice(0, 2), 16);
  assert.equal(first & 3, 2);
  const md5 = (data: string | Buffer) => createHash('md5').update(data).digest();
  const once = md5(id);
  const bytes = [...once.subarray(0, 4), ...md5(once).subarray(1, 3)];
  bytes[0] = ((bytes[0] ?? 0) | 2) & 0xfe;
  assert.equal(macOf({ mac: '', position: 0 }, id), bytes.map((b) => b.toString(16).padStart(2, '0')).join(':'));
  assert.notEqual(macOf({ mac: '', position: 1 }, id), macOf({ mac: '', position: 0 }, id));
});
