import assert from 'node:assert/strict';
import test from 'node:test';
import type { XenopsEvent } from '../contracts/xenops.ts';
import { testDisk, testHouse, testSpec, testVif, vmId } from './testing/house.ts';

const kind = (kind: string) => (e: unknown) => {
  assert.equal((e as { kind?: string }).kind, kind, String(e));
  return true;
};
const id = vmId(1);

test('a VM is added, started, shut down and removed; nothing is held afterwards', async () => {
  const h = await testHouse();
  const events: XenopsEvent[] = [];
  h.xenops.watch((e) => events.push(e));
  assert.equal(await h.xenops.vm.add(testSpec(1)), id);
  await h.xenops.vm.start({ id, paused: false });
  const running = await h.xenops.vm.stat({ id });
  assert.equal(running.state.power, 'Running');
  assert.equal(running.state.domid, 1);
  assert.deepEqual(running.state.vbds['disk0'], { plugged: true, media: testDisk(1, 0).media });
  assert.deepEqual(h.held(), [`disk vdi-1-0 ${id} RW`, `domain ${id} running`, `port ${id}/vif0`]);
  await h.during(h.xenops.vm.shutdown({ id, timeoutS: 60 }));
  const halted = await h.xenops.vm.stat({ id });
  assert.equal(halted.state.power, 'Halted');
  assert.equal(halted.state.domid, -1);
  assert.equal(halted.state.lastEnd?.reason, 'poweroff');
  assert.deepEqual(h.held(), []);
  await h.xenops.vm.remove({ id });
  assert.deepEqual(await h.xenops.vm.list({}), []);
  assert.equal(events.at(-1)?.vm, null);
  const revisions = events.flatMap((e) => e.vm?.revision ?? []);
  assert.deepEqual(
    revisions,
    revisions.toSorted((a, b) => a - b),
  );
});

test('pause, unpause, reboot, suspend, resume', async () => {
  const h = await testHouse();
  await h.xenops.vm.add(testSpec(1));
  await h.xenops.vm.start({ id, paused: true });
  const power = async () => (await h.xenops.vm.stat({ id })).state.power;
  assert.equal(await power(), 'Paused');
  await h.xenops.vm.unpause({ id });
  assert.equal(await power(), 'Running');
  await h.xenops.vm.pause({ id });
  await h.xenops.vm.unpause({ id });
  await h.during(h.xenops.vm.reboot({ id, timeoutS: 10 }));
  assert.equal((await h.xenops.vm.stat({ id })).state.domid, 2);
  await h.xenops.vm.reboot({ id, timeoutS: null });
  const image = { kind: 'vdi' as const, sr: 'sr', vdi: 'image' };
  await h.xenops.vm.suspend({ id, image });
  assert.equal(await power(), 'Suspended');
  assert.deepEqual((await h.xenops.vm.stat({ id })).state.suspendImage, image);
  assert.deepEqual(h.held(), []);
  await h.restart();
  assert.equal(await power(), 'Suspended');
  await h.xenops.vm.resume({ id, paused: false });
  assert.equal(await power(), 'Running');
  assert.equal((await h.xenops.vm.stat({ id })).state.suspendImage, null);
  await h.xenops.vm.shutdown({ id, timeoutS: null });
  assert.equal(await power(), 'Halted');
  await assert.rejects(h.xenops.vm.resume({ id, paused: false }), kind('Bad_power_state'));
  await h.xenops.vm.start({ id, paused: false });
  await h.xenops.vm.suspend({ id, image });
  await h.xenops.vm.resetPower({ id });
  assert.equal(await power(), 'Halted');
  assert.deepEqual(h.held(), []);
});

test('a VM that is off takes over a saved guest, and resumes it, also after a restart', async () => {
  const h = await testHouse();
  await h.xenops.vm.add(testSpec(1));
  const image = { kind: 'vdi' as const, sr: 'sr', vdi: 'image' };
  await h.xenops.vm.start({ id, paused: false });
  await assert.rejects(h.xenops.vm.takeSuspended({ id, image }), kind('Bad_power_state'));
  await h.xenops.vm.suspend({ id, image });
  await assert.rejects(h.xenops.vm.takeSuspended({ id, image }), kind('Bad_power_state'));
  await h.xenops.vm.resetPower({ id });
  await h.xenops.vm.takeSuspended({ id, image });
  const { state } = await h.xenops.vm.stat({ id });
  assert.deepEqual([state.power, state.suspendImage], ['Suspended', image]);
  await h.restart();
  await h.xenops.vm.resume({ id, paused: false });
  assert.equal((await h.xenops.vm.stat({ id })).state.power, 'Running');
  // A guest that is not there is refused when it is resumed, and nothing stays.
  await h.xenops.vm.shutdown({ id, timeoutS: null });
  await h.xenops.vm.takeSuspended({ id, image: { ...image, vdi: 'nothing' } });
  await assert.rejects(h.xenops.vm.resume({ id, paused: false }), kind('Io_error'));
  assert.equal((await h.xenops.vm.stat({ id })).state.power, 'Suspended');
  assert.deepEqual(h.held(), []);
});

test('devices are plugged and unplugged; discs change', async () => {
  const h = await testHouse();
  await h.xenops.vm.add(testSpec(1));
  await h.xenops.vm.start({ id, paused: false });
  await h.xenops.vbd.add({ vm: id, vbd: testDisk(1, 1) });
  await h.xenops.vbd.plug({ vm: id, id: 'disk1' });
  await assert.rejects(h.xenops.vbd.remove({ vm: id, id: 'disk1' }), kind('Device_is_connected'));
  await h.xenops.vif.add({ vm: id, vif: testVif(1, 1) });
  await h.xenops.vif.plug({ vm: id, id: 'vif1' });
  assert.equal(h.held().length, 5);
  const media = { kind: 'vdi' as const, sr: 'iso', vdi: 'disc' };
  await h.xenops.vbd.insert({ vm: id, id: 'cd', media });
  assert.deepEqual((await h.xenops.vm.stat({ id })).state.vbds['cd'], { plugged: true, media });
  await assert.rejects(h.xenops.vbd.insert({ vm: id, id: 'cd', media }), kind('Media_present'));
  await assert.rejects(h.xenops.vbd.eject({ vm: id, id: 'disk0' }), kind('Media_not_ejectable'));
  h.backend.openTray(id, 'cd');
  await h.xenops.barrier.wait({ vm: id });
  assert.deepEqual((await h.xenops.vm.stat({ id })).state.vbds['cd'], { plugged: true, media: null });
  await h.xenops.vbd.unplug({ vm: id, id: 'disk1', force: false });
  await h.xenops.vif.unplug({ vm: id, id: 'vif1', force: false });
  await assert.rejects(h.xenops.vif.unplug({ vm: id, id: 'vif1', force: false }), kind('Device_not_connected'));
  await h.xenops.vif.remove({ vm: id, id: 'vif1' });
  assert.equal(h.held().length, 3);
  h.network.give(testVif(1, 0).mac, '10.0.0.9');
  assert.deepEqual((await h.xenops.vm.stat({ id })).state.vifs['vif0'], { plugged: true, addresses: ['10.0.0.9'] });
});
