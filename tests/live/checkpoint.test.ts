/** A running guest's checkpoint on real QEMU: memory and disk of one moment, brought back together. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import type { Rec } from '../../src/datamodel/index.ts';
import { jsonDriver } from '../scenario/drivers.ts';
import { testHouse } from '../scenario/house.ts';
import { cannotRun, consoleSays } from './host.ts';
import { image, type } from './linux-bed.ts';

test('a guest goes back to its checkpoint: its memory and its disk', { skip: cannotRun() ?? false }, async () => {
  await using h = await testHouse({ hypervisor: 'qemu', guest: image() });
  const { db, root } = h.house;
  const d = await jsonDriver(h);
  const uuid = await d.install('Tiny Linux', 'remembers');
  await d.addDisk(uuid, 8 << 20);
  await d.power(uuid, 'start');
  await consoleSays(join(h.data, 'domains', uuid, 'console.log'), 'READY');
  const vm = db.byUuid('VM', uuid);
  const put = (what: string) =>
    `echo mem-${what} > /tmp/it; echo disk-${what} | dd of=/dev/vda conv=fsync 2> /dev/null`;
  await type(h, uuid, `${put('one')}; echo 'was'ONE`, 'wasONE');
  const checkpoint = (await root('VM.checkpoint', vm, 'one')) as string;
  assert.equal(db.get('VM', vm).power_state, 'Running');
  await type(h, uuid, `${put('two')}; echo 'was'TWO`, 'wasTWO');

  for (const time of ['A', 'B']) {
    await root('VM.revert', checkpoint);
    assert.equal((db.get('VM', vm) as Rec<'VM'>).power_state, 'Suspended');
    await root('VM.resume', vm, false, false);
    // What the guest has cached of its disk is as old as its memory: it is told to forget it, and reads the disk.
    const look = `echo 3 > /proc/sys/vm/drop_caches; echo ${time}-$(cat /tmp/it)-$(head -c 8 /dev/vda)`;
    await type(h, uuid, look, `${time}-mem-one-disk-one`);
    await type(h, uuid, `${put('three')}; echo 'was'THREE${time}`, `wasTHREE${time}`);
  }
  await d.power(uuid, 'clean_shutdown');
  await d.power(uuid, 'start');
  await d.power(uuid, 'hard_shutdown');
  await root('VM.destroy', checkpoint);
  await d.uninstall(uuid);
});
