/** Snapshot schedules: what is taken, what goes, and what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rec } from '../../src/datamodel/index.ts';
import { diskHouse } from './disk-house.ts';
import { addDisk, code, countDisks, makeVm, vmOf, write } from './snapshot-bed.ts';

test('VMs on a schedule are snapshotted, and the oldest snapshots go with their disks', async () => {
  await using h = await diskHouse();
  const [vm, other] = [await makeVm(h), await makeVm(h)];
  const disk = await addDisk(h, vm, '5');
  const row = { name_label: 'nightly', type: 'checkpoint', frequency: 'daily', retained_snapshots: '2' };
  const vmss = await h.root('VMSS.create', { ...row, schedule: { hour: '3' } });
  for (const each of [vm, other]) await h.root('VM.set_snapshot_schedule', each, vmss);
  await h.root('VM.start', vm, false, false);
  const byHand = await h.root('VM.snapshot', vm, 'by hand');
  const disks = await countDisks(h);
  for (let i = 1; i <= 3; i++) {
    await write(h, disk, i);
    const lines = (await h.root('VMSS.snapshot_now', vmss)).split('\n');
    assert.deepEqual(
      lines.map((line) => line.split(' ')[0]),
      await Promise.all([vm, other].map((each) => h.root('VM.get_uuid', each))),
    );
  }
  const taken = (await vmOf(h, vm)).snapshots.filter((ref) => ref !== byHand);
  assert.equal(taken.length, 2);
  for (const ref of taken) {
    const snapshot = await vmOf(h, ref);
    assert.deepEqual([snapshot.is_vmss_snapshot, snapshot.power_state], [true, 'Suspended']);
    assert.equal(snapshot.snapshot_schedule, 'OpaqueRef:NULL');
  }
  // Two checkpoints: a disk and an image of memory each.
  assert.equal(await countDisks(h), disks + 4);
  assert.equal((await vmOf(h, other)).snapshots.length, 2);
  const schedule = await h.root<Rec<'VMSS'>>('VMSS.get_record', vmss);
  assert.deepEqual(schedule.VMs, [vm, other]);
  assert.notEqual(schedule.last_run_time, '19700101T00:00:00Z');

  await assert.rejects(h.root('VMSS.destroy', vmss), code('VMSS_HAS_VM'));
  for (const each of [vm, other]) await h.root('VM.set_snapshot_schedule', each, 'OpaqueRef:NULL');
  await h.root('VMSS.destroy', vmss);
});

test('schedules that cannot be are refused', async () => {
  await using h = await diskHouse();
  const row = { name_label: 'x', type: 'snapshot', frequency: 'hourly' };
  for (const wrong of [{ retained_snapshots: '11' }, { schedule: { hour: '1' } }, { schedule: { min: '1' } }])
    await assert.rejects(h.root('VMSS.create', { ...row, ...wrong }), code('VALUE_NOT_SUPPORTED'));
  const vmss = await h.root('VMSS.create', row);
  await h.root('VMSS.set_frequency', vmss, 'weekly');
  await h.root('VMSS.add_to_schedule', vmss, 'days', 'Tuesday,Sunday');
  await h.root('VMSS.set_retained_snapshots', vmss, 1);
  await assert.rejects(h.root('VMSS.add_to_schedule', vmss, 'hour', 'noon'), code('VALUE_NOT_SUPPORTED'));
  const { frequency, schedule } = await h.root<Rec<'VMSS'>>('VMSS.get_record', vmss);
  assert.deepEqual([frequency, schedule], ['weekly', { days: 'Tuesday,Sunday', hour: '0', min: '0' }]);
});
