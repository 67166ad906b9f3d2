/** Where disks lie among others is seen, and layers that are left over are made one by themselves, as a task. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { Rec } from '../../src/datamodel/index.ts';
import { type DiskHouse, diskHouse } from './disk-house.ts';
import { addDisk, code, diskAt, fileOf, holds, makeVm, write } from './snapshot-bed.ts';

const chainOf = async (h: DiskHouse, vdi: string) => {
  const { sm_config } = await h.root<Rec<'VDI'>>('VDI.get_record', vdi);
  return { depth: sm_config['chain-depth'], sharedWith: sm_config['chain-shared-with'] };
};
const uuidOf = (h: DiskHouse, vdi: string) => h.root('VDI.get_uuid', vdi);

test('a deleted snapshot is coalesced in the background, as a task', async () => {
  await using h = await diskHouse();
  const vm = await makeVm(h);
  const disk = await addDisk(h, vm, '5', 256 << 20);
  assert.deepEqual(await chainOf(h, disk), { depth: undefined, sharedWith: undefined });
  await write(h, disk, 1);
  const snapshot = await diskAt(h, await h.root('VM.snapshot', vm, 'first'), '5');
  assert.deepEqual(await chainOf(h, disk), { depth: '2', sharedWith: await uuidOf(h, snapshot) });
  assert.deepEqual(await chainOf(h, snapshot), { depth: '2', sharedWith: await uuidOf(h, disk) });
  // More than is merged at once.
  execFileSync('qemu-io', ['-c', 'write -P 2 1M 140M', await fileOf(h, disk)]);
  const ended = new Promise<Rec<'task'>>((resolve) => {
    const stop = h.running.db.watch((changes) => {
      for (const { cls, ref, op } of changes) {
        const task = cls === 'task' && op !== 'del' ? h.running.db.find('task', ref) : undefined;
        if (!task?.name_label.startsWith('Coalescing disks') || task.status === 'pending') continue;
        stop();
        resolve(task);
      }
    });
  });
  await h.root('VDI.destroy', snapshot);
  const task = await ended;
  assert.deepEqual([task.status, task.progress], ['success', 1]);
  assert.deepEqual(await chainOf(h, disk), { depth: undefined, sharedWith: undefined });
  await holds(h, disk, 1);
});

test('a chain that is too long is refused early, with what to do', async () => {
  await using h = await diskHouse();
  const vm = await makeVm(h);
  const disk = await addDisk(h, vm, '5');
  await h.root('VM.start', vm, false, false);
  for (let depth = 2; depth <= 30; depth++) {
    await write(h, disk, depth);
    await h.root('VM.snapshot', vm, `${depth}`);
  }
  assert.equal((await chainOf(h, disk)).depth, '30');
  await write(h, disk, 99);
  await assert.rejects(h.root('VM.snapshot', vm, 'too many'), (error: Error) => {
    assert.match(error.message, /delete snapshots/);
    return code('SR_BACKEND_FAILURE_109')(error as never);
  });
  assert.equal(await h.root('VM.get_power_state', vm), 'Running');
});
