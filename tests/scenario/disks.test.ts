import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Rec } from '../../src/datamodel/index.ts';
import { type DiskHouse, diskHouse } from './disk-house.ts';

const nullRef = 'OpaqueRef:NULL';
const mib = 1024 * 1024;

const sizes = (h: DiskHouse, ref: string) => h.root<Rec<'VDI'>>('VDI.get_record', ref);
async function local(h: DiskHouse): Promise<string> {
  const pool = (await h.root<string[]>('pool.get_all'))[0];
  return h.root('pool.get_default_SR', pool);
}
async function isoSr(h: DiskHouse): Promise<string> {
  return (await h.root<string[]>('SR.get_by_name_label', 'ISO images'))[0] as string;
}
const newDisk = async (h: DiskHouse, more: Record<string, unknown> = {}) =>
  h.root('VDI.create', {
    name_label: 'disk',
    name_description: 'of a test',
    SR: await local(h),
    virtual_size: 16 * mib,
    type: 'user',
    sharable: false,
    read_only: false,
    other_config: { a: 'b' },
    ...more,
  });
const code = (expected: string) => (error: Error & { wire?: readonly string[] }) => {
  assert.equal(error.wire?.[0], expected, error.message);
  return true;
};
async function host(h: DiskHouse): Promise<string> {
  return (await h.root<string[]>('host.get_all'))[0] as string;
}

test('a disk is made, grown, snapshotted, cloned, copied and deleted', async () => {
  await using h = await diskHouse();
  const vdi = await newDisk(h);
  const made = await sizes(h, vdi);
  assert.equal(made.virtual_size, 16 * mib);
  assert.ok(made.physical_utilisation > 0 && made.physical_utilisation < mib);
  assert.deepEqual([made.name_label, made.managed, made.other_config], ['disk', true, { a: 'b' }]);
  assert.ok(made.allowed_operations.includes('snapshot'));
  await h.root('VDI.resize', vdi, 32 * mib);
  assert.equal((await sizes(h, vdi)).virtual_size, 32 * mib);
  await assert.rejects(h.root('VDI.resize', vdi, mib), code('VALUE_NOT_SUPPORTED'));

  const snapshot = await sizes(h, await h.root('VDI.snapshot', vdi));
  assert.deepEqual([snapshot.is_a_snapshot, snapshot.snapshot_of], [true, vdi]);
  const clone = await sizes(h, await h.root('VDI.clone', vdi));
  assert.deepEqual([clone.is_a_snapshot, clone.read_only], [false, false]);
  const copy = await sizes(h, await h.root('VDI.copy', vdi, await local(h)));
  assert.equal(copy.virtual_size, 32 * mib);
  const record = await h.root<Rec<'SR'>>('SR.get_record', await local(h));
  assert.equal(record.VDIs.length, 4);
  assert.equal(record.virtual_allocation, 4 * 32 * mib);
  assert.deepEqual(record.current_operations, {});
  for (const ref of record.VDIs) await h.root('VDI.destroy', ref);
  assert.deepEqual(await h.root('SR.get_VDIs', await local(h)), []);
});

test('what cannot be is refused with its reason', async () => {
  await using h = await diskHouse();
  const sr = await local(h);
  await assert.rejects(newDisk(h, { virtual_size: 0 }), code('INVALID_VALUE'));
  await assert.rejects(newDisk(h, { SR: 'OpaqueRef:nothing' }), code('HANDLE_INVALID'));
  const vdi = await newDisk(h);
  const pbd = (await h.root<string[]>('SR.get_PBDs', sr))[0];
  await h.root('PBD.unplug', pbd);
  await assert.rejects(newDisk(h), code('SR_NOT_ATTACHED'));
  await assert.rejects(h.root('VDI.destroy', vdi), code('SR_NOT_ATTACHED'));
  await h.root('PBD.plug', pbd);
  await assert.rejects(h.root('PBD.destroy', pbd), code('OPERATION_NOT_ALLOWED'));
  await assert.rejects(
    h.root('PBD.create', { SR: sr, host: await host(h), device_config: {}, other_config: {} }),
    code('PBD_EXISTS'),
  );
  await assert.rejects(h.root('SR.forget', sr), code('SR_HAS_PBD'));
  await assert.rejects(h.root('VDI.set_on_boot', vdi, 'reset'), code('SR_OPERATION_NOT_SUPPORTED'));
  await assert.rejects(h.root('VDI.copy', vdi, sr, nullRef, vdi), code('OPERATION_NOT_ALLOWED'));
});

test('names live on the medium: forgotten and introduced again, a repository has its disks', async () => {
  await using h = await diskHouse();
  const here = await host(h);
  const location = join(h.data, 'second');
  const sr = await h.root('SR.create', here, { location }, 0, 'second', '', 'file', 'user', false, {});
  const record = await h.root<Rec<'SR'>>('SR.get_record', sr);
  assert.ok(existsSync(location));
  const vdi = await newDisk(h, { SR: sr });
  await h.root('VDI.set_name_label', vdi, 'renamed');
  const { uuid } = await sizes(h, vdi);
  assert.match(await h.root('SR.probe', here, { location }, 'file', {}), new RegExp(record.uuid));
  const found = await h.root<Record<string, { uuid: string }>[]>('SR.probe_ext', here, { location }, 'file', {});
  assert.equal(found[0]?.['sr']?.uuid, record.uuid);

  const pbd = record.PBDs[0];
  await h.root('PBD.unplug', pbd);
  await h.root('SR.forget', sr);
  assert.deepEqual(await h.root('VDI.get_by_name_label', 'renamed'), []);
  await assert.rejects(
    h.root('SR.create', here, { location }, 0, 'third', '', 'file', 'user', false, {}),
    code('SR_BACKEND_FAILURE_90'),
  );
  const again = await h.root('SR.introduce', record.uuid, 'second', '', 'file', 'user', false, {});
  await assert.rejects(
    h.root('SR.introduce', record.uuid, 'second', '', 'file', 'user', false, {}),
    code('SR_UUID_EXISTS'),
  );
  const plug = await h.root('PBD.create', { SR: again, host: here, device_config: { location }, other_config: {} });
  await h.root('PBD.plug', plug);
  const [back] = await h.root<string[]>('VDI.get_by_name_label', 'renamed');
  assert.equal((await sizes(h, back as string)).uuid, uuid);

  await assert.rejects(h.root('SR.destroy', again), code('SR_HAS_PBD'));
  const [connection] = await h.root<string[]>('SR.get_PBDs', again);
  await h.root('PBD.unplug', connection);
  await assert.rejects(h.root('SR.destroy', again), code('SR_NOT_EMPTY'));
  await h.root('PBD.plug', connection);
  await h.root('VDI.destroy', back);
  await h.root('PBD.unplug', connection);
  await h.root('SR.destroy', again);
  assert.equal(existsSync(location), false);
  await assert.rejects(h.root('SR.get_record', again), code('HANDLE_INVALID'));
  await assert.rejects(
    h.root('SR.create', here, {}, 0, 'x', '', 'lvmohba', 'user', false, {}),
    code('SR_UNKNOWN_DRIVER'),
  );
});

test('a scan takes in what is new, drops what is gone, and marks what a drive still refers to', async () => {
  await using h = await diskHouse();
  const sr = await isoSr(h);
  const folder = join(h.data, 'iso');
  writeFileSync(join(folder, 'debian.iso'), Buffer.alloc(4 * mib, 1));
  writeFileSync(join(folder, 'other.iso'), Buffer.alloc(2 * mib, 2));
  await h.root('SR.scan', sr);
  const [debian] = await h.root<string[]>('VDI.get_by_name_label', 'debian.iso');
  const record = await sizes(h, debian as string);
  assert.deepEqual([record.location, record.virtual_size, record.read_only], ['debian.iso', 4 * mib, true]);
  assert.equal(record.allowed_operations.includes('snapshot'), false);
  const template = (await h.root<string[]>('VM.get_by_name_label', 'Other install media'))[0];
  const vm = await h.root('VM.clone', template, 'with a CD');
  const [drive] = await h.root<string[]>('VM.get_VBDs', vm);
  await h.root('VBD.insert', drive, debian);

  rmSync(join(folder, 'debian.iso'));
  rmSync(join(folder, 'other.iso'));
  await h.root('SR.scan', sr);
  assert.deepEqual(await h.root('SR.get_VDIs', sr), [debian]);
  assert.equal((await sizes(h, debian as string)).missing, true);
  assert.deepEqual((await sizes(h, debian as string)).allowed_operations, ['forget']);
  await h.root('VDI.forget', debian);
  assert.equal(await h.root('VBD.get_empty', drive), true);
});

test('a disk that lies in the folder is introduced by its id; another copy of it is left out of a scan', async () => {
  await using h = await diskHouse();
  const sr = await local(h);
  const vdi = await newDisk(h);
  const { uuid } = await sizes(h, vdi);
  await h.root('VDI.forget', vdi);
  const introduce = (id: string, location: string) =>
    h.root('VDI.introduce', id, 'back', '', sr, 'user', false, false, { c: 'd' }, location);
  await assert.rejects(introduce('', 'nowhere'), code('VDI_LOCATION_MISSING'));
  const back = await introduce(uuid, uuid);
  assert.deepEqual((await sizes(h, back)).other_config, { c: 'd' });

  const place = join(h.data, 'copy');
  const second = await h.root(
    'SR.create',
    await host(h),
    { location: place },
    0,
    'copy',
    '',
    'file',
    'user',
    false,
    {},
  );
  const from = join(h.data, 'sr', await h.root('SR.get_uuid', sr));
  for (const file of readdirSync(from).filter((f) => f.includes(uuid)))
    copyFileSync(join(from, file), join(place, file));
  await h.root('SR.scan', second);
  assert.deepEqual(await h.root('SR.get_VDIs', second), []);
  assert.equal((await sizes(h, back)).SR, sr);
});

test('networks: kinds, refusals, purposes', async () => {
  await using h = await diskHouse();
  const make = (more: Record<string, unknown>) =>
    h.root('network.create', { name_label: 'n', other_config: {}, ...more });
  const inner = await make({});
  const record = await h.root<Rec<'network'>>('network.get_record', inner);
  assert.equal(h.world.networks.get(record.bridge)?.kind, 'internal');
  const nat = await make({ other_config: { 'guesthouse-kind': 'nat', 'guesthouse-subnet': '10.9.0.1/24' } });
  const { bridge } = await h.root<Rec<'network'>>('network.get_record', nat);
  assert.deepEqual(h.world.networks.get(bridge), { bridge, kind: 'nat', subnet: '10.9.0.1/24' });
  await assert.rejects(make({ bridge: record.bridge }), code('BRIDGE_NAME_EXISTS'));
  await assert.rejects(
    make({ bridge: 'br9', other_config: { 'guesthouse-kind': 'bridge' } }),
    code('BRIDGE_NOT_AVAILABLE'),
  );
  await assert.rejects(make({ other_config: { 'guesthouse-kind': 'magic' } }), code('VALUE_NOT_SUPPORTED'));
  h.world.kinds = ['user'];
  const count = (await h.root<string[]>('network.get_all')).length;
  await assert.rejects(make({}), code('OPERATION_NOT_ALLOWED'));
  assert.equal((await h.root<string[]>('network.get_all')).length, count);
  await h.root('network.add_purpose', inner, 'nbd');
  await assert.rejects(h.root('network.add_purpose', inner, 'insecure_nbd'), code('NETWORK_INCOMPATIBLE_PURPOSES'));
  await h.root('network.destroy', nat);
  assert.equal(h.world.networks.has(bridge), false);
});

test('the host answers about itself', async () => {
  await using h = await diskHouse();
  const here = await host(h);
  assert.match(await h.root('host.get_servertime', here), /^\d{8}T\d\d:\d\d:\d\dZ$/);
  assert.match(await h.root('host.get_server_localtime', here), /^\d{8}T\d\d:\d\d:\d\d$/);
  assert.ok((await h.root<number>('host.compute_free_memory', here)) > 0);
  assert.ok((await h.root<string[]>('host.list_methods')).includes('VM.start'));
  await assert.rejects(h.root('host.call_plugin', here, 'updater.py', 'x', {}), code('XENAPI_MISSING_PLUGIN'));
  await assert.rejects(h.root('host.set_hostname_live', here, 'not a name'), code('HOST_NAME_INVALID'));
  await h.root('host.disable', here);
  const template = (await h.root<string[]>('VM.get_by_name_label', 'Tiny Linux'))[0];
  const vm = await h.root('VM.clone', template, 'one');
  await h.root('VM.provision', vm);
  await h.root('host.enable', here);
  await h.root('host.evacuate', here);
});

test('an appliance starts and stops its VMs in order', async () => {
  await using h = await diskHouse();
  const template = (await h.root<string[]>('VM.get_by_name_label', 'Tiny Linux'))[0];
  const appliance = await h.root('VM_appliance.create', { name_label: 'both', name_description: '' });
  const vms: string[] = [];
  for (const name of ['first', 'second']) {
    const vm = await h.root('VM.clone', template, name);
    await h.root('VM.provision', vm);
    h.running.db.set('VM', vm, { order: vms.length });
    h.running.db.set('VM', vm, { appliance });
    vms.push(vm);
  }
  const states = async () => Promise.all(vms.map((vm) => h.root('VM.get_power_state', vm)));
  await h.root('VM_appliance.start', appliance, false);
  assert.deepEqual(await states(), ['Running', 'Running']);
  const here = await host(h);
  await assert.rejects(h.root('host.evacuate', here), code('NO_HOSTS_AVAILABLE'));
  assert.deepEqual(
    Object.keys(await h.root<Record<string, unknown>>('host.get_vms_which_prevent_evacuation', here)).sort(),
    [...vms].sort(),
  );
  await h.root('VM_appliance.hard_shutdown', appliance);
  assert.deepEqual(await states(), ['Halted', 'Halted']);
});
