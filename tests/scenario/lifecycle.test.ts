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

test('what would be a lie is refused: references to nothing, networks that are none', async () => {
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
  const nic = h.house.db.create('network', { name_label: 'Network of a card', name_description: 'it is in no bridge' });
  await assert.rejects(root('VIF.create', { ...vif, network: nic, qos_algorithm_params: {} }), /in no bridge/);
  await assert.rejects(
    root('VIF.move', await root('VIF.create', { ...vif, qos_algorithm_params: {} }), nic),
    /VALUE_NOT_SUPPORTED/,
  );
});

test('an interface is locked to its addresses or disabled, also while it is plugged, and by its network', async () => {
  await using h = await testHouse({ quiet: true });
  const { root, xenops } = h.house;
  const [template] = (await root('VM.get_by_name_label', 'Tiny Linux')) as string[];
  const record = (await root('VM.get_record', template)) as object;
  const vm = (await root('VM.create', { ...record, name_label: 'locked', is_a_template: false })) as string;
  const id = (await root('VM.get_uuid', vm)) as string;
  const [network] = (await root('network.get_all')) as string[];
  const given = { VM: vm, network, device: '0', MAC: '', MTU: 1500, other_config: {}, qos_algorithm_type: '' };
  const vif = (await root('VIF.create', { ...given, qos_algorithm_params: {} })) as string;
  const lock = async () => (await xenops.vm.stat({ id })).spec.vifs[0]?.lock;
  await root('VIF.set_ipv4_allowed', vif, ['10.0.0.1', '10.0.0.1']);
  await root('VIF.add_ipv6_allowed', vif, 'fd00::1');
  assert.equal(await lock(), undefined);
  await root('VIF.set_locking_mode', vif, 'locked');
  assert.deepEqual(await lock(), { mode: 'locked', ipv4: ['10.0.0.1'], ipv6: ['fd00::1'] });
  await root('VM.start', vm, false, false);
  await root('VIF.add_ipv4_allowed', vif, '10.0.0.2');
  await root('VIF.remove_ipv6_allowed', vif, 'fd00::1');
  assert.deepEqual(await lock(), { mode: 'locked', ipv4: ['10.0.0.1', '10.0.0.2'], ipv6: [] });
  assert.deepEqual(await root('VIF.get_ipv4_allowed', vif), ['10.0.0.1', '10.0.0.2']);
  for (const [name, value] of [
    ['set_ipv4_allowed', ['10.0.0.1/24']],
    ['add_ipv4_allowed', 'fd00::1'],
    ['add_ipv6_allowed', 'fe80::1%eth0'],
  ] as const)
    await assert.rejects(root(`VIF.${name}`, vif, value), /INVALID_IP_ADDRESS_SPECIFIED/);
  await root('VIF.set_locking_mode', vif, 'network_default');
  assert.equal(await lock(), undefined);
  await assert.rejects(root('network.set_default_locking_mode', network, 'disabled'), /VIF_IN_USE/);
  await root('VM.hard_shutdown', vm);
  await root('network.set_default_locking_mode', network, 'disabled');
  assert.equal((await lock())?.mode, 'disabled');
});
