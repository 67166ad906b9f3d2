import assert from 'node:assert/strict';
import test from 'node:test';
import type { VmSpec } from '../contracts/xenops.ts';
import type { DomainEnd } from './backend.ts';
import { endAction } from './end-action.ts';
import { type TestHouse, testHouse, testSpec, vmId } from './testing/house.ts';

const id = vmId(1);
const started = 1_700_000_000_000;
const limits = { crashWindowS: 120, rebootWindowS: 60, rebootDelayS: 15 };
const end = (reason: DomainEnd['reason']): DomainEnd => ({ reason, detail: 'by the test' });

async function running(change: Partial<VmSpec> = {}): Promise<TestHouse> {
  const h = await testHouse({ limits });
  await h.xenops.vm.add(testSpec(1, change));
  await h.xenops.vm.start({ id, paused: false });
  return h;
}
async function after(h: TestHouse, ms: number) {
  await h.advance(ms);
  await h.during(h.xenops.barrier.wait({ vm: id }));
  return (await h.xenops.vm.stat({ id })).state;
}

test('what follows the end of a guest', () => {
  const all = (on: VmSpec['onCrash']) => ({ onPoweroff: on, onReboot: on, onCrash: on });
  const todo = (on: VmSpec['onCrash'], reason: DomainEnd['reason'], ranS: number) =>
    endAction(all(on), end(reason), ranS, limits);
  assert.deepEqual(todo('destroy', 'crash', 1), { action: 'destroy' });
  assert.deepEqual(todo('restart', 'reboot', 61), { action: 'restart', delayS: 0 });
  assert.deepEqual(todo('restart', 'reboot', 59), { action: 'restart', delayS: 15 });
  assert.deepEqual(todo('restart', 'poweroff', 1), { action: 'restart', delayS: 15 });
  assert.deepEqual(todo('restart', 'crash', 121), { action: 'restart', delayS: 0 });
  for (const reason of ['crash', 'killed', 'hung'] as const)
    assert.equal(todo('restart', reason, 119).action, 'destroy');
  assert.equal(todo('preserve', 'crash', 1).action, 'preserve');
  for (const reason of ['killed', 'hung'] as const) assert.equal(todo('preserve', reason, 999).action, 'destroy');
});

test('a guest that powers off leaves nothing behind', async () => {
  const h = await running();
  h.backend.endGuest(id, end('poweroff'));
  const state = await after(h, 0);
  assert.equal(state.power, 'Halted');
  assert.deepEqual(state.lastEnd, { ...end('poweroff'), at: h.clock.now() / 1000 });
  assert.deepEqual(h.held(), []);
  assert.equal((await h.xenops.host.stat({})).memoryCommitted, 0);
});

test('a guest that reboots gets a new domain; one that reboots at once waits before, and counts as running', async () => {
  const h = await running();
  await h.advance(61_000);
  h.backend.endGuest(id, end('reboot'));
  assert.equal((await after(h, 0)).domid, 2);
  h.backend.endGuest(id, end('reboot'));
  await h.advance(14_000);
  const waiting = (await h.xenops.vm.stat({ id })).state;
  assert.equal(waiting.power, 'Running');
  assert.equal(h.world.domains.size, 0);
  const state = await after(h, 2_000);
  assert.equal(state.power, 'Running');
  assert.equal(state.domid, 3);
});

test('a shutdown cuts the delay before a restart short', async () => {
  const h = await running();
  h.backend.endGuest(id, end('reboot'));
  await h.advance(1_000);
  await h.xenops.vm.shutdown({ id, timeoutS: null });
  assert.equal((await after(h, 60_000)).power, 'Halted');
  assert.deepEqual(h.held(), []);
});

test('a reboot ends the delay before a restart and takes its place, also before the delay has begun', async () => {
  for (const [how, delayMs] of [
    ['forced', 1_000],
    ['clean', 1_000],
    ['forced', 0],
  ] as const) {
    const h = await running();
    h.backend.endGuest(id, end('reboot'));
    if (delayMs > 0) await h.advance(delayMs);
    await h.xenops.vm.reboot({ id, timeoutS: how === 'clean' ? 60 : null });
    const { power, domid } = (await h.xenops.vm.stat({ id })).state;
    assert.deepEqual([power, domid, h.clock.now() - started], ['Running', 2, delayMs], how);
    assert.equal((await after(h, 60_000)).domid, 2, 'it is not restarted once more');
  }
});

test('any other call on the VM ends the delay too, and finds the guest running', async () => {
  const h = await running();
  h.backend.endGuest(id, end('reboot'));
  await h.advance(1_000);
  await h.xenops.vm.pause({ id });
  const { power, domid } = (await h.xenops.vm.stat({ id })).state;
  assert.deepEqual([power, domid, h.clock.now() - started], ['Paused', 2, 1_000]);
});

test('shutting down all VMs does not wait for one that waits to be restarted', async () => {
  const h = await running();
  h.backend.endGuest(id, end('reboot'));
  await h.advance(1_000);
  await h.xenops.host.shutdownAll({ timeoutS: 20 });
  assert.deepEqual([(await h.xenops.vm.stat({ id })).state.power, h.clock.now() - started], ['Halted', 1_000]);
});

test('a reboot whose restart was brought forward and failed tries once more, and tells why it cannot', async () => {
  const h = await running();
  h.backend.endGuest(id, end('reboot'));
  await h.advance(1_000);
  h.faults.set('vm.build', { fault: 'fail' }, 2);
  await assert.rejects(h.during(h.xenops.vm.reboot({ id, timeoutS: null })), /injected: vm.build/);
  assert.equal((await after(h, 60_000)).power, 'Halted');
  assert.deepEqual(h.held(), []);
});

test('a guest that loses the first request is asked again', async () => {
  for (const what of ['shutdown', 'reboot'] as const) {
    const h = await running({ platform: { 'sim:shutdown': 'lose-first' } });
    await h.during(h.xenops.vm[what]({ id, timeoutS: 60 }));
    const { power, domid } = (await h.xenops.vm.stat({ id })).state;
    assert.deepEqual([power, domid], what === 'reboot' ? ['Running', 2] : ['Halted', -1]);
    assert.equal(h.clock.now() - started, 5_000);
  }
});

test('a guest is not asked any more once its time is over', async () => {
  const h = await running({ platform: { 'sim:shutdown': 'lose-first' } });
  await assert.rejects(h.during(h.xenops.vm.shutdown({ id, timeoutS: 4 })), { kind: 'Failed_to_shutdown' });
  assert.equal((await after(h, 60_000)).power, 'Running');
});

test('a restart that waits survives a restart of the toolstack, whichever way it ends', async () => {
  for (const how of ['kill', 'close'] as const) {
    const h = await running();
    h.backend.endGuest(id, end('reboot'));
    await h.advance(1_000);
    await h.restart(how);
    assert.equal((await after(h, 1_000)).power, 'Running', how);
    assert.equal(h.held().length, 3);
  }
});

test('a guest that crashes soon after its start is not started again, and why is said', async () => {
  const h = await running({ onCrash: 'restart' });
  h.backend.endGuest(id, end('crash'));
  const state = await after(h, 60_000);
  assert.equal(state.power, 'Halted');
  assert.match(state.lastEnd?.detail ?? '', /within 120 s/);
});

test('a preserved domain is Paused, can only be ended or rebooted, and is found again', async () => {
  const h = await running({ onCrash: 'preserve' });
  h.backend.endGuest(id, end('crash'));
  assert.equal((await after(h, 0)).power, 'Paused');
  await assert.rejects(h.xenops.vm.unpause({ id }), { kind: 'Bad_power_state' });
  await h.restart();
  assert.equal((await after(h, 60_000)).power, 'Paused');
  await h.xenops.vm.reboot({ id, timeoutS: null });
  assert.equal((await after(h, 0)).power, 'Running');
});

test('a hung guest is destroyed, whatever was to be preserved', async () => {
  const h = await running({ onCrash: 'preserve' });
  h.backend.endGuest(id, end('hung'));
  const state = await after(h, 0);
  assert.equal(state.power, 'Halted');
  assert.equal(state.lastEnd?.reason, 'hung');
  assert.deepEqual(h.held(), []);
});

test('a guest that cannot be destroyed is not started a second time; it is tried again', async () => {
  const h = await running({ onCrash: 'restart' });
  await h.advance(130_000);
  h.faults.set('vm.destroy', { fault: 'fail' }, 3);
  h.backend.endGuest(id, end('hung'));
  await h.advance(0);
  assert.deepEqual(
    [...h.world.domains.values()].map((d) => [d.domid, d.power]),
    [[1, 'ended']],
  );
  const state = await after(h, 600_000);
  assert.equal(state.power, 'Running');
  assert.equal(state.domid, 5);
});

test('a guest that does not shut down in time is refused and runs on; one that ends later is dealt with', async () => {
  const h = await running({ platform: { 'sim:shutdown': '30000' } });
  await assert.rejects(h.during(h.xenops.vm.shutdown({ id, timeoutS: 20 })), { kind: 'Failed_to_shutdown' });
  assert.equal((await h.xenops.vm.stat({ id })).state.power, 'Running');
  assert.equal((await after(h, 30_000)).power, 'Halted');
});

test('what ended with the host is told from what was killed', async () => {
  for (const [boot, reason] of [
    ['b', 'killed'],
    ['', 'host'],
  ] as const) {
    const h = await testHouse({ boot });
    await h.xenops.vm.add(testSpec(1));
    await h.xenops.vm.start({ id, paused: false });
    h.world.reboot();
    await h.restart();
    const { state } = await h.xenops.vm.stat({ id });
    assert.deepEqual([state.power, state.lastEnd?.reason, h.held()], ['Halted', reason, []]);
  }
});

test('a guest that ends and no longer fits is left Halted, and why is said', async () => {
  const memory = (n: number) => ({ staticMax: n * 2 ** 30, dynamicMax: n * 2 ** 30, dynamicMin: 2 ** 30 });
  const h = await testHouse({ memoryBytes: 3 * 2 ** 30, limits });
  await h.xenops.vm.add(testSpec(1, { memory: memory(1), onPoweroff: 'restart' }));
  await h.xenops.vm.add(testSpec(2, { memory: memory(2) }));
  await h.xenops.vm.start({ id, paused: false });
  await h.xenops.vm.start({ id: vmId(2), paused: false });
  await h.xenops.vm.add(testSpec(1, { memory: memory(2), onPoweroff: 'restart' }));
  await h.advance(130_000);
  h.backend.endGuest(id, end('poweroff'));
  const state = await after(h, 0);
  assert.equal(state.power, 'Halted');
  assert.match(state.lastEnd?.detail ?? '', /not started again: .* needs 2147483648 bytes/);
});
