import assert from 'node:assert/strict';
import test from 'node:test';
import { jsonDriver, xeDriver, xmlDriver } from './drivers.ts';
import { testHouse } from './house.ts';
import { lifecycle } from './lifecycle.ts';

const ground = { template: 'Tiny Linux', answers: true, suspend: true };

test('the life of a VM, by every client, on the simulator', async (t) => {
  await using h = await testHouse();
  for (const make of [xmlDriver, jsonDriver, xeDriver]) {
    const driver = await make(h);
    await t.test(driver.name, () => lifecycle(driver, ground));
  }
  const { db } = h.house;
  assert.deepEqual(await h.house.storage.vdi.users({}), [], 'no disk stays open');
  assert.deepEqual(await h.house.network.port.list({}), [], 'no port stays');
  assert.deepEqual(
    [...db.rows('VM')].filter(([, vm]) => !vm.is_a_template && !vm.is_control_domain),
    [],
  );
  assert.deepEqual(
    [...db.rows('task')].filter(([, task]) => task.status === 'pending'),
    [],
  );
});

test('a running VM is found again by a house that was opened anew', async () => {
  await using h = await testHouse();
  const before = await jsonDriver(h);
  const uuid = await before.install('Tiny Linux', 'stays');
  await before.power(uuid, 'start');
  await h.restart();
  const after = await jsonDriver(h);
  assert.equal(await after.state(uuid), 'running');
  assert.deepEqual(await after.names(), ['stays']);
  await after.power(uuid, 'hard_shutdown');
  assert.equal(await after.state(uuid), 'halted');
});
