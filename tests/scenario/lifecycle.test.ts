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

test('the boot record is what the VM was started with', async () => {
  await using h = await testHouse();
  const { root } = h.house;
  const [template] = (await root('VM.get_by_name_label', 'Tiny Linux')) as string[];
  const vm = (await root('VM.clone', template, 'booted')) as string;
  await root('VM.provision', vm);
  await root('VM.set_VCPUs_max', vm, 4);
  const vcpus = async (method: string) =>
    ((await root(method, vm)) as { readonly VCPUs_at_startup: number }).VCPUs_at_startup;
  await root('VM.start', vm, false, false);
  await root('VM.set_VCPUs_number_live', vm, 2);
  await root('VM.suspend', vm);
  await root('VM.resume', vm, false, false);
  assert.equal(await vcpus('VM.get_boot_record'), 1);
  await root('VM.hard_reboot', vm);
  assert.equal(await vcpus('VM.get_boot_record'), await vcpus('VM.get_record'));
  await root('VM.hard_shutdown', vm);
  await root('VM.set_VCPUs_at_startup', vm, 3);
  assert.equal(await vcpus('VM.get_boot_record'), 3);
});

test('what would be a lie is refused: references to nothing, filters that are not there', async () => {
  await using h = await testHouse({ quiet: true });
  const { root } = h.house;
  const [template] = (await root('VM.get_by_name_label', 'Tiny Linux')) as string[];
  const record = (await root('VM.get_record', template)) as object;
  for (const [field, cls] of [
    ['affinity', 'host'],
    ['appliance', 'VM_appliance'],
    ['suspend_VDI', 'VDI'],
  ] as const)
    await assert.rejects(root('VM.create', { ...record, [field]: template }), {
      wire: ['HANDLE_INVALID', cls, template],
    });
  const vm = (await root('VM.create', { ...record, name_label: 'made' })) as string;
  const [network] = (await root('network.get_all')) as string[];
  const vif = { VM: vm, network, device: '0', MAC: '', MTU: 1500, other_config: {}, qos_algorithm_type: '' };
  const make = (locking_mode: string) => root('VIF.create', { ...vif, qos_algorithm_params: {}, locking_mode });
  await assert.rejects(make('locked'), /VALUE_NOT_SUPPORTED/);
  await assert.rejects(root('network.set_default_locking_mode', network, 'disabled'), /VALUE_NOT_SUPPORTED/);
  const nic = h.house.db.create('network', { name_label: 'Network of a card', name_description: 'it is in no bridge' });
  await assert.rejects(root('VIF.create', { ...vif, network: nic, qos_algorithm_params: {} }), /in no bridge/);
  await assert.rejects(root('VIF.move', await make('unlocked'), nic), /VALUE_NOT_SUPPORTED/);
});
