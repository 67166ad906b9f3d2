/** The interpreter's rules, seen from the verbs that reach the ground. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { testDisk, testHouse, testSpec, testVif, vmId } from './testing/house.ts';

const id = vmId(1);
const spec = testSpec(1, { vbds: [testDisk(1, 0), testDisk(1, 1)], vifs: [testVif(1, 0)] });

async function house() {
  const h = await testHouse();
  await h.xenops.vm.add(spec);
  const verbs: string[] = [];
  h.faults.listen = (verb) => {
    if (verb !== 'vm.observe') verbs.push(verb);
  };
  return { h, verbs };
}
const start = { id, paused: false };

test('what completed is undone newest first, the domain before its devices', async () => {
  const { h, verbs } = await house();
  h.faults.set('vm.unpause', { fault: 'fail' }, 1);
  await assert.rejects(h.xenops.vm.start(start), { kind: 'Internal_error' });
  const undone = verbs.slice(verbs.indexOf('vm.unpause') + 1);
  const devices = ['vif.detach', 'port.detach', 'vbd.detach', 'vdi.close', 'vbd.detach', 'vdi.close'];
  assert.deepEqual([undone[0], undone.at(-1)], ['vm.destroy', 'vm.destroy']);
  assert.deepEqual(undone.slice(1, -1).sort(), devices.sort());
  assert.deepEqual(h.held(), []);
});

test('a step that failed is not undone, and later steps are not begun', async () => {
  const { h, verbs } = await house();
  h.faults.set('vm.create', { fault: 'fail' }, 1);
  await assert.rejects(h.xenops.vm.start(start));
  assert.deepEqual(verbs, ['vm.create']);
});

test('steps beside a failing one settle before anything is undone', async () => {
  const { h, verbs } = await house();
  h.faults.set('vif.attach', { fault: 'fail' }, 1);
  h.faults.set('vbd.attach', { fault: 'delay', ms: 10_000 }, 1);
  const failed = assert.rejects(h.xenops.vm.start(start));
  await h.advance(9_000);
  assert.ok(!verbs.includes('vm.destroy') && !verbs.includes('vbd.detach'));
  await h.during(failed);
  assert.equal(verbs.filter((v) => v === 'vbd.detach').length, 2);
  assert.equal(verbs.filter((v) => v === 'vif.detach').length, 0);
  assert.equal(verbs.at(-1), 'vm.destroy');
  assert.deepEqual(h.held(), []);
});

test('an undo that fails does not keep the others from running, and reconciling does the rest', async () => {
  const { h } = await house();
  h.faults.set('vm.build', { fault: 'fail' }, 1);
  h.faults.set('vdi.close', { fault: 'fail' }, 2);
  h.faults.set('port.detach', { fault: 'fail' }, 2);
  await assert.rejects(h.xenops.vm.start(start));
  await h.advance(60_000);
  assert.deepEqual(h.held(), []);
  assert.equal(h.clock.pending, 0);
});

test('best-effort steps are all tried; what they leave is removed later, before the next operation at the latest', async () => {
  const { h, verbs } = await house();
  await h.xenops.vm.start(start);
  h.faults.set('vdi.close', { fault: 'fail' }, 4);
  await h.xenops.vm.shutdown({ id, timeoutS: null });
  assert.equal((await h.xenops.vm.stat({ id })).state.power, 'Halted');
  assert.ok(verbs.includes('port.detach'));
  assert.equal(h.held().length, 2);
  await h.advance(60_000);
  assert.deepEqual(h.held(), []);
});
