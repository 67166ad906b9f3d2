/** One VM, many doors: changes past the API reach the records, and answered changes of the records are never undone. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { VmSpec } from '../../src/contracts/xenops.ts';
import { jsonDriver } from './drivers.ts';
import { testHouse } from './house.ts';

const foreign = (id: string): VmSpec => ({
  id,
  name: 'from a file',
  domainType: 'hvm',
  boot: { kind: 'bios', order: 'dc' },
  memory: { staticMax: 256 << 20, dynamicMax: 256 << 20, dynamicMin: 128 << 20 },
  vcpus: { max: 2, current: 1 },
  onPoweroff: 'destroy',
  onReboot: 'restart',
  onCrash: 'restart',
  vbds: [
    {
      id: '00000000-0000-4000-8000-00000000000a',
      position: 0,
      type: 'Disk',
      mode: 'RW',
      media: { kind: 'path', path: '/dev/loop0', format: 'raw' },
    },
    { id: '00000000-0000-4000-8000-00000000000b', position: 1, type: 'CD', mode: 'RO', media: null },
  ],
  vifs: [{ id: '00000000-0000-4000-8000-00000000000c', position: 0, mac: '00:16:3e:00:00:01', bridge: 'xenbr0' }],
  platform: {},
  autostart: false,
  order: 0,
  startDelayS: 0,
  shutdownDelayS: 0,
});

test('a VM added past the API gets records, with a hidden repository for its disk', async () => {
  await using h = await testHouse();
  const { db, xenops } = h.house;
  const id = '11111111-0000-4000-8000-000000000001';
  await xenops.vm.add(foreign(id));
  const vm = db.get('VM', db.byUuid('VM', id));
  assert.deepEqual(
    [vm.name_label, vm.power_state, vm.VCPUs_max, vm.HVM_boot_params],
    ['from a file', 'Halted', 2, { order: 'dc', firmware: 'bios' }],
  );
  assert.deepEqual(
    vm.VBDs.map((r) => db.get('VBD', r)).map((b) => [b.userdevice, b.type, b.empty]),
    [
      ['0', 'Disk', false],
      ['1', 'CD', true],
    ],
  );
  const disk = db.get('VDI', db.get('VBD', vm.VBDs[0]!).VDI);
  assert.deepEqual(
    [disk.managed, disk.location, db.get('SR', disk.SR).other_config['hide-from-clients']],
    [false, '/dev/loop0', 'true'],
  );
  assert.equal(db.get('network', db.get('VIF', vm.VIFs[0]!).network).bridge, 'xenbr0');

  await xenops.vm.add({ ...foreign(id), name: 'renamed elsewhere', vbds: [] });
  const after = db.get('VM', db.byUuid('VM', id));
  assert.deepEqual([after.name_label, after.VBDs.length, after.uuid], ['renamed elsewhere', 0, id]);

  await xenops.vm.remove({ id });
  assert.equal(db.findByUuid('VM', id), undefined);
});

test('a change of the records that never reached the domain manager survives a restart, and reaches it then', async () => {
  await using h = await testHouse();
  const d = await jsonDriver(h);
  const uuid = await d.install('Tiny Linux', 'before');
  const { db } = h.house;
  // As if killed between the answer and the push: the description is the old one, the record is new.
  const stale = (await h.house.xenops.vm.stat({ id: uuid })).spec;
  await h.house.root('VM.set_name_label', db.byUuid('VM', uuid), 'after');
  await h.house.xenops.vm.add(stale);
  assert.equal(db.get('VM', db.byUuid('VM', uuid)).name_label, 'after');
  await h.restart();
  const { db: again, xenops } = h.house;
  assert.equal(again.get('VM', again.byUuid('VM', uuid)).name_label, 'after');
  assert.equal((await xenops.vm.stat({ id: uuid })).spec.name, 'after');
});

test('a foreign change keeps what a description does not say', async () => {
  await using h = await testHouse();
  const d = await jsonDriver(h);
  const uuid = await d.install('Tiny Linux', 'kept');
  const { db, xenops } = h.house;
  const ref = db.byUuid('VM', uuid);
  await h.house.root('VM.set_actions_after_crash', ref, 'coredump_and_restart');
  const { spec } = await xenops.vm.stat({ id: uuid });
  assert.equal(spec.platform['crash-dump'], 'true', 'the ground hears of the wish for a dump');
  await xenops.vm.add({ ...spec, name: 'renamed' });
  const vm = db.get('VM', ref);
  assert.deepEqual([vm.name_label, vm.actions_after_crash], ['renamed', 'coredump_and_restart']);
  assert.equal('crash-dump' in vm.platform, false);
});

test('a kernel that another door gave a VM is kept by the API, and no other is let in', async () => {
  await using h = await testHouse();
  const { xenops, root } = h.house;
  const id = '11111111-0000-4000-8000-000000000002';
  const boot = { kind: 'kernel', kernel: '/srv/kernel', cmdline: 'ro' } as const;
  await xenops.vm.add({ ...foreign(id), domainType: 'pvh', boot, vifs: [] });
  const vm = h.house.db.byUuid('VM', id);
  await root('VM.set_name_label', vm, 'renamed by the API');
  await root('VM.set_memory_static_max', vm, 512 << 20);
  await root('VM.start', vm, false, false);
  await h.restart();
  await h.house.root('VM.hard_shutdown', h.house.db.byUuid('VM', id));
  const { spec, state } = await h.house.xenops.vm.stat({ id });
  assert.deepEqual([spec.name, spec.boot, state.power], ['renamed by the API', boot, 'Halted']);
  await assert.rejects(h.house.root('VM.set_PV_kernel', vm, '/etc/shadow'), /VALUE_NOT_SUPPORTED/);
  await h.house.root('VM.start', vm, false, false);
  assert.deepEqual((await h.house.xenops.vm.stat({ id })).spec.boot, boot);
});
