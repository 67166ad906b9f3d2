/** On a machine that cannot give its devices away, a VM that asks for one is told why, and nothing is left of its start. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { readDevices } from '../../src/xenops/backends/qemu/passthrough.ts';
import { jsonDriver } from '../scenario/drivers.ts';
import { testHouse } from '../scenario/house.ts';
import { cannotRun, processesWith } from './host.ts';

test('a VM with a device that this machine cannot give is refused with the reason', {
  skip: cannotRun() ?? false,
}, async (t) => {
  const there = await readDevices();
  const device = there.pci.find((d) => d.problem !== null);
  if (!device) {
    t.skip('every PCI device of this machine can be given, or it has none');
    return;
  }
  await using h = await testHouse({ hypervisor: 'qemu' });
  const { db, root } = h.house;
  const d = await jsonDriver(h);
  const uuid = await d.install('Other install media', 'wants');
  const vm = db.byUuid('VM', uuid);
  await root('VM.add_to_other_config', vm, 'pci', `0/${device.address}`);
  await assert.rejects(root('VM.start', vm, false, false), (error) => {
    const { wire } = error as { wire: string[] };
    assert.deepEqual(wire, ['VALUE_NOT_SUPPORTED', 'other_config:pci', device.address, device.problem]);
    return true;
  });
  assert.equal(await d.state(uuid), 'halted');
  assert.equal([...processesWith(join(h.data, 'domains')).values()].length, 0);
  await root('VM.remove_from_other_config', vm, 'pci');
  await d.power(uuid, 'start');
  await d.power(uuid, 'hard_shutdown');
  await d.uninstall(uuid);
});
