/** Snapshots of VMs that run, are paused or suspended, without their memory: real disks below the simulator. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rec } from '../../src/datamodel/index.ts';
import { diskHouse } from './disk-house.ts';
import { addDisk, code, countDisks, diskAt, holds, makeVm, vmOf, write } from './snapshot-bed.ts';

test('a VM that runs is snapshotted: all its disks, and it goes on', async () => {
  await using h = await diskHouse();
  const vm = await makeVm(h);
  for (const [drive, byte] of [
    ['5', 1],
    ['6', 2],
  ] as const)
    await write(h, await addDisk(h, vm, drive), byte);
  await h.root('VM.start', vm, false, false);
  const disks = await countDisks(h);
  const snapshot = await h.root('VM.snapshot', vm, 'at work');
  const taken = await vmOf(h, snapshot);
  assert.deepEqual([taken.power_state, taken.is_a_snapshot, taken.suspend_VDI], ['Halted', true, 'OpaqueRef:NULL']);
  assert.deepEqual(taken.snapshot_info, {
    'power-state-at-snapshot': 'Running',
    'disk-snapshot-type': 'crash_consistent',
  });
  assert.equal((await vmOf(h, vm)).power_state, 'Running');
  const of = await h.root<Rec<'VDI'>>('VDI.get_record', await diskAt(h, snapshot, '5'));
  assert.deepEqual([of.snapshot_of, of.is_a_snapshot, of.read_only], [await diskAt(h, vm, '5'), true, true]);
  for (const drive of ['5', '6']) await write(h, await diskAt(h, vm, drive), 9);
  await holds(h, await diskAt(h, snapshot, '5'), 1);
  await holds(h, await diskAt(h, snapshot, '6'), 2);

  await h.root('VM.revert', snapshot);
  assert.equal((await vmOf(h, vm)).power_state, 'Halted');
  await holds(h, await diskAt(h, vm, '5'), 1);
  await h.root('VM.destroy', snapshot);
  // The snapshot's own stay, as those of any VM.
  assert.equal(await countDisks(h), disks + 2);
});

test('one disk of a VM that runs is snapshotted; disks to be ignored are', async () => {
  await using h = await diskHouse();
  const vm = await makeVm(h);
  const [kept, ignored] = [await addDisk(h, vm, '5'), await addDisk(h, vm, '6')];
  await write(h, kept, 3);
  await h.root('VM.start', vm, false, false);
  assert.ok((await h.root<string[]>('VDI.get_allowed_operations', kept)).includes('snapshot'));
  const alone = await h.root('VDI.snapshot', kept, {});
  await write(h, kept, 4);
  await holds(h, alone, 3);
  await assert.rejects(h.root('VDI.clone', kept, {}), code('VDI_IN_USE'));
  const snapshot = await h.root('VM.snapshot', vm, 'without', [ignored]);
  assert.equal(await diskAt(h, snapshot, '6'), 'OpaqueRef:NULL');
  await holds(h, await diskAt(h, snapshot, '5'), 4);
});

test('paused and suspended VMs stay what they are', async () => {
  await using h = await diskHouse();
  const vm = await makeVm(h);
  await write(h, await addDisk(h, vm, '5'), 1);
  await h.root('VM.start', vm, true, false);
  const paused = await h.root('VM.snapshot', vm, 'paused');
  assert.deepEqual([(await vmOf(h, vm)).power_state, (await vmOf(h, paused)).power_state], ['Paused', 'Halted']);
  // A checkpoint of a paused VM has no memory either.
  const checkpoint = await h.root('VM.checkpoint', vm, 'paused too');
  assert.equal((await vmOf(h, checkpoint)).power_state, 'Halted');
  await h.root('VM.unpause', vm);
  await h.root('VM.suspend', vm);
  const suspended = await h.root('VM.snapshot', vm, 'suspended');
  assert.equal((await vmOf(h, vm)).power_state, 'Suspended');
  const taken = await vmOf(h, suspended);
  assert.deepEqual([taken.power_state, taken.snapshot_info['power-state-at-snapshot']], ['Halted', 'Suspended']);
  await write(h, await diskAt(h, vm, '5'), 2);
  for (const snapshot of [paused, checkpoint, suspended]) await holds(h, await diskAt(h, snapshot, '5'), 1);
  await h.root('VM.resume', vm, false, false);
  // The toolstack comes again between two snapshots of a guest that runs.
  await h.root('VM.snapshot', vm, 'before');
  await h.restart();
  const after = await h.root('VM.snapshot', vm, 'after');
  await holds(h, await diskAt(h, after, '5'), 2);
});

test('the agent of a guest holds its filesystems still, where there is one', async () => {
  await using h = await diskHouse();
  const vm = await makeVm(h);
  await addDisk(h, vm, '5');
  const typeOf = async (snapshot: string) => (await vmOf(h, snapshot)).snapshot_info['disk-snapshot-type'];
  await h.root('VM.start', vm, false, false);
  const row = { name_label: 'still', type: 'snapshot_with_quiesce', frequency: 'daily' };
  const vmss = await h.root('VMSS.create', row);
  await h.root('VM.set_snapshot_schedule', vm, vmss);
  assert.match(await h.root('VMSS.snapshot_now', vmss), /VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED/);
  assert.equal((await vmOf(h, vm)).snapshots.length, 0);
  assert.equal(await typeOf(await h.root('VM.snapshot', vm, 'without')), 'crash_consistent');
  await h.root('VM.hard_shutdown', vm);
  await h.root('VM.add_to_platform', vm, 'sim:agent', 'true');
  await h.root('VM.start', vm, false, false);
  const byHand = await h.root('VM.snapshot', vm, 'with');
  await h.root('VMSS.snapshot_now', vmss);
  const [bySchedule = ''] = (await vmOf(h, vm)).snapshots.slice(-1);
  for (const snapshot of [byHand, bySchedule]) assert.equal(await typeOf(snapshot), 'quiesced');
});
