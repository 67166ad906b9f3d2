/** What a caller sees: order, cancelling, progress, deadlines, refusals. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type TestHouse, testDisk, testHouse, testSpec, vmId } from './testing/house.ts';

const id = vmId(1);
const GiB = 2 ** 30;
const memory = (n: number) => ({ staticMax: n * GiB, dynamicMax: n * GiB, dynamicMin: GiB });

async function withVm(o: Parameters<typeof testHouse>[0] = {}): Promise<TestHouse> {
  const h = await testHouse(o);
  await h.xenops.vm.add(testSpec(1));
  return h;
}

test('memory is never promised twice: what does not fit is refused with the numbers', async () => {
  const h = await testHouse({ memoryBytes: 5 * GiB });
  for (const n of [1, 2, 3]) await h.xenops.vm.add(testSpec(n, { memory: memory(2) }));
  const answers = await Promise.allSettled([1, 2, 3].map((n) => h.xenops.vm.start({ id: vmId(n), paused: false })));
  assert.deepEqual(
    answers.map((a) => a.status),
    ['fulfilled', 'fulfilled', 'rejected'],
  );
  const args = { vm: vmId(3), needed: 2 * GiB, free: GiB, total: 5 * GiB };
  await assert.rejects(h.xenops.vm.start({ id: vmId(3), paused: false }), { kind: 'Not_enough_memory', args });
  const { memoryCommitted, memoryFree } = await h.xenops.host.stat({});
  assert.deepEqual([memoryCommitted, memoryFree], [4 * GiB, GiB]);
  // A greater description that would not fit is refused before the guest is touched.
  await h.xenops.vm.add(testSpec(1, { memory: memory(4) }));
  await assert.rejects(h.xenops.vm.reboot({ id, timeoutS: null }), { kind: 'Not_enough_memory' });
  assert.equal((await h.xenops.vm.stat({ id })).state.domid, 1);
  await h.restart();
  assert.equal((await h.xenops.host.stat({})).memoryCommitted, 4 * GiB);
});

test('operations on one VM run in the order of the calls, on different VMs at once, within the number of workers', async () => {
  const h = await testHouse({ workers: 2 });
  for (const n of [1, 2, 3]) await h.xenops.vm.add(testSpec(n));
  h.faults.set('vm.build', { fault: 'delay', ms: 10_000 });
  const done: string[] = [];
  const start = (n: number) => h.xenops.vm.start({ id: vmId(n), paused: false }).then(() => done.push(`start ${n}`));
  const calls = [start(1), h.xenops.vm.pause({ id }).then(() => done.push('pause 1')), start(2), start(3)];
  await h.advance(9_000);
  assert.equal(h.world.domains.size, 2);
  await h.during(Promise.all(calls));
  assert.deepEqual(done.slice(0, 2).sort(), ['start 1', 'start 2']);
  assert.ok(done.indexOf('pause 1') > done.indexOf('start 1'));
});

test('waiting for a guest takes no worker', async () => {
  const h = await testHouse({ workers: 1 });
  await h.xenops.vm.add(testSpec(1, { platform: { 'sim:shutdown': 'ignore' } }));
  await h.xenops.vm.add(testSpec(2));
  await h.xenops.vm.start({ id, paused: false });
  const slow = assert.rejects(h.xenops.vm.shutdown({ id, timeoutS: 600 }), { kind: 'Failed_to_shutdown' });
  await h.advance(1_000);
  await h.xenops.vm.start({ id: vmId(2), paused: false });
  await h.during(slow);
});

test('a call is cancelled while it waits, between its steps, inside a step that can, and not when it is too late', async () => {
  const h = await withVm();
  const stop = new AbortController();
  const call = { signal: stop.signal, label: 'task 7' };
  h.faults.set('vm.build', { fault: 'delay', ms: 10_000 }, 1);
  const first = h.xenops.vm.start({ id, paused: false }, call);
  const waiting = new AbortController();
  const second = h.xenops.vm.pause({ id }, { signal: waiting.signal });
  await h.advance(1_000);
  waiting.abort();
  await assert.rejects(second, { kind: 'Cancelled' });
  stop.abort();
  await assert.rejects(h.during(first), { kind: 'Cancelled', args: { task: 'task 7' } });
  assert.deepEqual(h.held(), []);
  await assert.rejects(h.xenops.vm.start({ id, paused: false }, call), { kind: 'Cancelled' });

  await h.xenops.vm.add(testSpec(1, { platform: { 'sim:shutdown': 'ignore' } }));
  await h.xenops.vm.start({ id, paused: false });
  const asking = new AbortController();
  const shutdown = h.xenops.vm.shutdown({ id, timeoutS: 600 }, { signal: asking.signal });
  await h.advance(1_000);
  asking.abort();
  await assert.rejects(shutdown, { kind: 'Cancelled' });
  assert.equal((await h.xenops.vm.stat({ id })).state.power, 'Running');

  h.faults.set('vdi.close', { fault: 'delay', ms: 10_000 }, 1);
  const late = new AbortController();
  const forced = h.xenops.vm.shutdown({ id, timeoutS: null }, { signal: late.signal });
  await h.advance(1_000);
  late.abort();
  await h.during(forced);
  assert.deepEqual(h.held(), []);
});

test('what is done by force does not wait for a guest that was asked', async () => {
  for (const force of ['shutdown', 'reboot', 'resetPower', 'shutdownAll'] as const) {
    const h = await testHouse();
    await h.xenops.vm.add(testSpec(1, { platform: { 'sim:shutdown': 'ignore' } }));
    await h.xenops.vm.start({ id, paused: false });
    const asked = assert.rejects(h.xenops.vm.shutdown({ id, timeoutS: 600 }), { kind: 'Cancelled' });
    const behind = assert.rejects(h.xenops.vm.reboot({ id, timeoutS: 600 }), { kind: 'Cancelled' });
    await h.advance(1_000);
    if (force === 'shutdownAll') await h.during(h.xenops.host.shutdownAll({ timeoutS: 1 }));
    else if (force === 'resetPower') await h.xenops.vm.resetPower({ id });
    else await h.xenops.vm[force]({ id, timeoutS: null });
    await asked;
    await behind;
    assert.equal((await h.xenops.vm.stat({ id })).state.power, force === 'reboot' ? 'Running' : 'Halted', force);
  }
});

test('progress grows from step to step and ends at 1', async () => {
  const h = await withVm();
  const told: number[] = [];
  await h.xenops.vm.start({ id, paused: false }, { progress: (fraction) => told.push(fraction) });
  assert.ok(told.length >= 4);
  assert.deepEqual(
    told,
    told.toSorted((a, b) => a - b),
  );
  assert.equal(told.at(-1), 1);
});

test('a step that does not end is given up; when it ends after all, what it did is removed', async () => {
  const h = await withVm();
  h.faults.set('vm.create', { fault: 'delay', ms: 200_000 }, 1);
  const args = { step: 'VM.create', vm: id, seconds: 60 };
  await assert.rejects(h.during(h.xenops.vm.start({ id, paused: false })), { kind: 'Timed_out', args });
  assert.deepEqual(h.held(), []);
  await h.advance(300_000);
  assert.deepEqual(h.held(), []);
  h.faults.set('vm.build', { fault: 'hang' }, 1);
  await assert.rejects(h.during(h.xenops.vm.start({ id, paused: false })), { kind: 'Timed_out' });
  assert.deepEqual(h.held(), []);
  await h.during(h.xenops.vm.start({ id, paused: false }));
});

test('errors of neighbours keep their kind and arguments', async () => {
  const h = await withVm();
  await h.xenops.vm.add(testSpec(2, { vbds: [testDisk(1, 0)] }));
  await h.xenops.vm.start({ id, paused: false });
  await assert.rejects(h.xenops.vm.start({ id: vmId(2), paused: false }), (e: { kind: string; args: object }) => {
    const params = { vdi: 'vdi-1-0', user: id };
    const reason = `the disk vdi-1-0 is in use by ${id}`;
    assert.deepEqual([e.kind, e.args], ['Storage_error', { reason, code: 'Vdi_in_use', params }]);
    return true;
  });
});

test('what is not possible is refused, and nothing is touched', async () => {
  const h = await withVm();
  const x = h.xenops;
  const refused = (call: Promise<unknown>, kind: string) => assert.rejects(call, { kind });
  await refused(x.vm.pause({ id }), 'Bad_power_state');
  await refused(x.vm.resume({ id, paused: false }), 'Bad_power_state');
  await refused(x.vm.reboot({ id, timeoutS: null }), 'Bad_power_state');
  await refused(x.vbd.plug({ vm: id, id: 'disk0' }), 'Bad_power_state');
  await refused(x.vm.stat({ id: 'nobody' }), 'Does_not_exist');
  await refused(x.vm.start({ id: 'nobody', paused: false }), 'Does_not_exist');
  await refused(x.vbd.remove({ vm: id, id: 'nothing' }), 'Does_not_exist');
  const spec = testSpec(2);
  await refused(x.vm.add({ ...spec, id: '../x' }), 'Bad_spec');
  await refused(x.vm.add({ ...spec, vcpus: { max: 1, current: 2 } }), 'Bad_spec');
  await refused(x.vm.add({ ...spec, memory: { staticMax: 1, dynamicMax: 2, dynamicMin: 1 } }), 'Bad_spec');
  await refused(x.vm.add({ ...spec, vbds: [testDisk(1, 0), testDisk(1, 0)] }), 'Bad_spec');
  await x.vm.start({ id, paused: false });
  await x.vm.start({ id, paused: false });
  await refused(x.vm.remove({ id }), 'Bad_power_state');
  await refused(x.vm.setVcpus({ id, count: 5 }), 'Invalid_vcpus');
  await refused(x.vm.unpause({ id }), 'Bad_power_state');
  assert.equal(h.held().length, 3);
});

test('a new description takes effect at the next start; adding the same again tells nobody', async () => {
  const h = await withVm();
  await h.xenops.vm.start({ id, paused: false });
  const changed = testSpec(1, { name: 'new', vbds: [testDisk(1, 5)] });
  await h.xenops.vm.add(changed);
  let told = 0;
  h.xenops.watch(() => told++);
  await h.xenops.vm.add(changed);
  assert.equal(told, 0);
  const { spec, state } = await h.xenops.vm.stat({ id });
  assert.equal(spec.name, 'new');
  assert.deepEqual(
    Object.entries(state.vbds)
      .filter(([, v]) => v.plugged)
      .map(([vbd]) => vbd)
      .sort(),
    ['cd', 'disk0'],
  );
  await h.restart();
  await h.xenops.vm.reboot({ id, timeoutS: null });
  assert.deepEqual(h.held().slice(0, 1), [`disk vdi-1-5 ${id} RW`]);
  await h.xenops.vm.shutdown({ id, timeoutS: null });
  assert.deepEqual(h.held(), []);
});

test('revisions never go back, even when what changed was not written', async () => {
  const h = await withVm();
  await h.xenops.vm.start({ id, paused: false });
  for (let i = 0; i < 50; i++) h.network.give(testSpec(1).vifs[0]?.mac ?? '', `10.0.0.${i}`);
  const { revision } = await h.xenops.vm.stat({ id });
  await h.restart();
  assert.ok((await h.xenops.vm.stat({ id })).revision > revision);
});

test('the host starts VMs in order with delays, and shuts them down the other way round', async () => {
  const h = await testHouse();
  const orders = [2, 0, 1, 1];
  for (const [i, order] of orders.entries()) {
    const platform: Record<string, string> = i === 1 ? { 'sim:shutdown': 'ignore' } : {};
    await h.xenops.vm.add(testSpec(i, { order, autostart: true, startDelayS: 10, shutdownDelayS: 5, platform }));
  }
  await h.xenops.vm.add(testSpec(9));
  const changes: string[] = [];
  const powers = new Map<string, string>();
  h.xenops.watch(({ id, vm }) => {
    if (!vm || powers.get(id) === vm.state.power) return;
    powers.set(id, vm.state.power);
    changes.push(`${(h.clock.now() - 1.7e12) / 1000} ${vm.spec.order} ${vm.state.power}`);
  });
  await h.during(h.xenops.host.startAll({}));
  assert.deepEqual(changes, ['0 0 Running', '10 1 Running', '10 1 Running', '20 2 Running']);
  changes.length = 0;
  const base = (h.clock.now() - 1.7e12) / 1000;
  await h.during(h.xenops.host.shutdownAll({ timeoutS: 30 }));
  const at = (s: number) => base + s;
  assert.deepEqual(changes, [`${at(0)} 2 Halted`, `${at(5)} 1 Halted`, `${at(5)} 1 Halted`, `${at(40)} 0 Halted`]);
  assert.deepEqual(h.held(), []);
});

test('closing interrupts calls, leaves guests running, and idle VMs have no timers', async () => {
  const h = await withVm();
  await h.xenops.vm.start({ id, paused: false });
  assert.equal(h.clock.pending, 0);
  await h.xenops.vm.add(testSpec(2, { platform: { 'sim:shutdown': 'ignore' } }));
  await h.xenops.vm.start({ id: vmId(2), paused: false });
  const asked = assert.rejects(h.xenops.vm.shutdown({ id: vmId(2), timeoutS: 600 }), { kind: 'Interrupted' });
  await h.advance(10);
  const { xenops } = h;
  await h.restart('close');
  await asked;
  await assert.rejects(xenops.vm.start({ id, paused: false }), { kind: 'Interrupted' });
  assert.deepEqual(
    (await h.xenops.vm.list({})).map((v) => v.state.power),
    ['Running', 'Running'],
  );
});
