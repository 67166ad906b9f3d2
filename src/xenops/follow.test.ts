import assert from 'node:assert/strict';
import test from 'node:test';
import { testHouse, testSpec, testVif, vmId } from './testing/house.ts';

const id = vmId(1);
const limited = (rateKib: number) => [{ ...testVif(1, 0), rateKib }];

test('a guest that runs is called by its new name, and has its new rate, at once', async () => {
  const h = await testHouse();
  const told = () => [...h.network.ports.values()].map(({ name, rateKib }) => ({ name, rateKib }));
  await h.xenops.vm.add(testSpec(1, { name: 'web', vifs: limited(100) }));
  assert.deepEqual(told(), []);
  await h.xenops.vm.start({ id, paused: false });
  assert.deepEqual(told(), [{ name: 'web', rateKib: 100 }]);
  await h.xenops.vm.add(testSpec(1, { name: 'shop', vifs: limited(100) }));
  await h.xenops.barrier.wait({ vm: id });
  assert.deepEqual(told(), [{ name: 'shop', rateKib: 100 }]);
  await h.xenops.vm.add(testSpec(1, { name: 'shop' }));
  await h.xenops.barrier.wait({ vm: id });
  assert.deepEqual(told(), [{ name: 'shop', rateKib: 0 }]);
  // What does not concern the running guest is not told, and what was told is not told again.
  h.network.ports.clear();
  await h.xenops.vm.add(testSpec(1, { name: 'shop', order: 7 }));
  await h.xenops.barrier.wait({ vm: id });
  assert.deepEqual(told(), []);
});
test('a rate that cannot be kept leaves the guest as it is, and is tried again with the next change', async () => {
  const h = await testHouse();
  await h.xenops.vm.add(testSpec(1, { vifs: limited(100) }));
  await h.xenops.vm.start({ id, paused: false });
  h.faults.set('port.attach', { fault: 'fail' }, 1);
  await h.xenops.vm.add(testSpec(1, { vifs: limited(200) }));
  await h.xenops.barrier.wait({ vm: id });
  assert.equal((await h.xenops.vm.stat({ id })).state.power, 'Running');
  await h.xenops.vm.add(testSpec(1, { vifs: limited(200), order: 7 }));
  await h.xenops.barrier.wait({ vm: id });
  assert.deepEqual(
    [...h.network.ports.values()].map((port) => port.rateKib),
    [200],
  );
});
