/** Snapshots and checkpoints of VMs and the way back to them, with real disks below the simulator. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rec } from '../../src/datamodel/index.ts';
import { diskHouse } from './disk-house.ts';
import { addDisk, code, countDisks, diskAt, holds, makeVm, nullRef, vmOf, write } from './snapshot-bed.ts';

test('a halted VM goes back to each of its snapshots, as often as one likes', async () => {
  await using h = await diskHouse();
  const vm = await makeVm(h);
  await write(h, await addDisk(h, vm, '5'), 1);
  const first = await h.root('VM.snapshot', vm, 'first');
  await write(h, await diskAt(h, vm, '5'), 2);
  await h.root('VM.set_name_label', vm, 'renamed');
  await h.root('VM.set_tags', vm, ['kept']);
  const second = await h.root('VM.snapshot', vm, 'second');
  assert.deepEqual([(await vmOf(h, second)).parent, (await vmOf(h, vm)).parent], [first, second]);
  const disks = await countDisks(h);

  for (const [snapshot, byte, name] of [
    [first, 1, 'one'],
    [second, 2, 'renamed'],
    [first, 1, 'one'],
  ] as const) {
    await write(h, await diskAt(h, vm, '5'), 9);
    await h.root('VM.revert', snapshot);
    const now = await vmOf(h, vm);
    assert.deepEqual([now.name_label, now.tags, now.parent, now.power_state], [name, ['kept'], snapshot, 'Halted']);
    assert.deepEqual([now.is_a_template, now.is_a_snapshot, now.current_operations], [false, false, {}]);
    await holds(h, await diskAt(h, vm, '5'), byte);
    await holds(h, await diskAt(h, snapshot, '5'), byte);
    // The disk that was replaced is gone, and the snapshots' disks are of the one that is there now.
    assert.equal(await countDisks(h), disks);
    const origin = await h.root('VDI.get_snapshot_of', await diskAt(h, second, '5'));
    assert.equal(origin, await diskAt(h, vm, '5'));
    assert.equal((await vmOf(h, vm)).snapshots.length, 2);
  }
  await h.root('VM.start', vm, false, false);
  assert.equal((await vmOf(h, vm)).power_state, 'Running');
  await h.root('VM.revert', second);
  assert.deepEqual([(await vmOf(h, vm)).power_state, (await vmOf(h, vm)).name_label], ['Halted', 'renamed']);
});

test('disks that a snapshot does not know are detached by a revert, and stay', async () => {
  await using h = await diskHouse();
  const vm = await makeVm(h);
  const ignored = await addDisk(h, vm, '5');
  const snapshot = await h.root('VM.snapshot', vm, 'first', [ignored]);
  const later = await addDisk(h, vm, '6');
  await h.root('VM.revert', snapshot);
  for (const disk of [ignored, later]) assert.deepEqual((await h.root<Rec<'VDI'>>('VDI.get_record', disk)).VBDs, []);
  assert.deepEqual([await diskAt(h, vm, '5'), await diskAt(h, vm, '6')], [nullRef, nullRef]);
});

test('a checkpoint holds the memory: its VM goes on, and comes back to it again and again', async () => {
  await using h = await diskHouse();
  const vm = await makeVm(h);
  await addDisk(h, vm, '5');
  await h.root('VM.start', vm, false, false);
  const checkpoint = await h.root('VM.checkpoint', vm, 'with memory');
  const taken = await vmOf(h, checkpoint);
  assert.deepEqual([taken.power_state, taken.is_a_snapshot, taken.snapshot_of], ['Suspended', true, vm]);
  assert.equal(taken.snapshot_info['power-state-at-snapshot'], 'Running');
  assert.equal((await h.root<Rec<'VDI'>>('VDI.get_record', taken.suspend_VDI)).type, 'suspend');
  const lives = await vmOf(h, vm);
  assert.deepEqual([lives.power_state, lives.suspend_VDI, lives.parent], ['Running', nullRef, checkpoint]);
  const disks = await countDisks(h);

  for (const restart of [false, true]) {
    await h.root('VM.revert', checkpoint);
    const back = await vmOf(h, vm);
    assert.deepEqual([back.power_state, back.suspend_VDI], ['Suspended', taken.suspend_VDI]);
    if (restart) await h.restart();
    await h.root('VM.resume', vm, false, false);
    assert.equal((await vmOf(h, vm)).power_state, 'Running');
    assert.equal(await countDisks(h), disks);
  }
  // The last one that has the image takes it along.
  await h.root('VM.hard_shutdown', vm);
  await h.root('VM.destroy', checkpoint);
  await assert.rejects(h.root('VDI.get_record', taken.suspend_VDI), code('HANDLE_INVALID'));
});

test('a suspended VM shares its image with its checkpoint; whoever is last deletes it', async () => {
  await using h = await diskHouse();
  const vm = await makeVm(h);
  await h.root('VM.start', vm, false, false);
  await h.root('VM.suspend', vm);
  const image = (await vmOf(h, vm)).suspend_VDI;
  const checkpoint = await h.root('VM.checkpoint', vm, 'asleep');
  assert.deepEqual([(await vmOf(h, vm)).power_state, (await vmOf(h, checkpoint)).suspend_VDI], ['Suspended', image]);
  await h.root('VM.destroy', vm);
  assert.equal(await h.root('VDI.get_type', image), 'suspend');
  const { uuid } = JSON.parse((await vmOf(h, checkpoint)).snapshot_metadata) as { uuid: string };

  // A VM that was deleted is made again, with its old identity.
  await h.root('VM.revert', checkpoint);
  const again = await h.root('VM.get_by_uuid', uuid);
  const back = await vmOf(h, again);
  assert.deepEqual([back.power_state, back.suspend_VDI, back.snapshots], ['Suspended', image, [checkpoint]]);
  await h.root('VM.resume', again, false, false);
  assert.equal((await vmOf(h, again)).power_state, 'Running');
});

test('only snapshots are gone back to; a checkpoint of a VM that is off has no memory', async () => {
  await using h = await diskHouse();
  const vm = await makeVm(h);
  await assert.rejects(h.root('VM.revert', vm), code('REVERT_ONLY_ALLOWED_ON_SNAPSHOT'));
  await assert.rejects(h.root('VM.checkpoint', vm, 'off'), code('VM_BAD_POWER_STATE'));
});
