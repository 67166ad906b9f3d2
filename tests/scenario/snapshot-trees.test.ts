/** Trees of snapshots, and what is made of them: copies in other repositories, templates, VMs. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { diskHouse } from './disk-house.ts';
import { addDisk, diskAt, holds, makeVm, nullRef, vmOf, write } from './snapshot-bed.ts';

test('parents and children follow snapshots, reverts and deletions', async () => {
  await using h = await diskHouse();
  const vm = await makeVm(h);
  const first = await h.root('VM.snapshot', vm, 'first');
  const second = await h.root('VM.snapshot', vm, 'second');
  await h.root('VM.revert', first);
  const third = await h.root('VM.snapshot', vm, 'third');
  const parents = async () => Promise.all([first, second, third, vm].map(async (ref) => (await vmOf(h, ref)).parent));
  assert.deepEqual(await parents(), [nullRef, first, first, third]);
  assert.deepEqual((await vmOf(h, first)).children, [second, third]);
  await h.root('VM.destroy', first);
  for (const ref of [second, third]) assert.equal((await vmOf(h, ref)).parent, nullRef);
  await h.root('VM.destroy', third);
  assert.equal((await vmOf(h, vm)).parent, nullRef);
});

test('a snapshot is copied to another repository, and cloned into a template and a VM', async () => {
  await using h = await diskHouse();
  const vm = await makeVm(h);
  await write(h, await addDisk(h, vm, '5'), 7);
  await h.root('VM.start', vm, false, false);
  const snapshot = await h.root('VM.snapshot', vm, 'at work');
  await write(h, await diskAt(h, vm, '5'), 8);

  const [host] = await h.root<string[]>('host.get_all');
  const sr = await h.root(
    'SR.create',
    host,
    { location: join(h.data, 'another') },
    0,
    'another',
    '',
    'file',
    'user',
    false,
    {},
  );
  const copy = await h.root('VM.copy', snapshot, 'a copy', sr);
  const disk = await diskAt(h, copy, '5');
  assert.equal(await h.root('VDI.get_SR', disk), sr);
  await holds(h, disk, 7);

  const template = await h.root('VM.clone', snapshot, 'a template');
  assert.deepEqual([(await vmOf(h, template)).is_a_template, (await vmOf(h, template)).is_a_snapshot], [true, false]);
  const made = await h.root('VM.clone', template, 'a VM');
  await h.root('VM.provision', made);
  await write(h, await diskAt(h, made, '5'), 9);
  await h.root('VM.start', made, false, false);
  for (const [ref, byte] of [
    [vm, 8],
    [snapshot, 7],
    [template, 7],
    [made, 9],
    [copy, 7],
  ] as const)
    await holds(h, await diskAt(h, ref, '5'), byte);
});
