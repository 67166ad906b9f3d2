/** A setting that would keep a VM from starting is refused when it is made, and one that is there already blocks no other. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ApiError } from '../../src/datamodel/errors.ts';
import { jsonDriver } from './drivers.ts';
import { testHouse } from './house.ts';

const code = (expected: string) => (e: unknown) => {
  assert.ok(e instanceof ApiError, String(e));
  assert.equal(e.code, expected, String(e));
  return true;
};

test('bad firmware, kernels and forwards are refused and leave the record as it was', async () => {
  await using h = await testHouse();
  const d = await jsonDriver(h);
  const { db, root } = h.house;
  const vm = db.byUuid('VM', await d.install('Other install media', 'hvm'));
  const before = db.get('VM', vm).HVM_boot_params;
  await assert.rejects(root('VM.set_HVM_boot_params', vm, { firmware: 'sillybios' }), code('VALUE_NOT_SUPPORTED'));
  assert.deepEqual(db.get('VM', vm).HVM_boot_params, before);
  await root('VM.remove_from_HVM_boot_params', vm, 'firmware');
  await assert.rejects(root('VM.add_to_HVM_boot_params', vm, 'firmware', 'sillybios'), code('VALUE_NOT_SUPPORTED'));
  await root('VM.set_HVM_boot_params', vm, { order: 'dc', firmware: 'uefi' });
  assert.deepEqual(db.get('VM', vm).HVM_boot_params, { order: 'dc', firmware: 'uefi' });

  const kernel = db.byUuid('VM', await d.install('Tiny Linux', 'kernel'));
  await assert.rejects(root('VM.set_PV_kernel', kernel, '/boot/vmlinuz'), code('VALUE_NOT_SUPPORTED'));
  await assert.rejects(root('VM.set_PV_kernel', kernel, `${h.data}/kernels/../password`), code('VALUE_NOT_SUPPORTED'));

  const vif = db.byUuid('VIF', await d.addNetwork(db.get('VM', kernel).uuid));
  await assert.rejects(root('VIF.add_to_other_config', vif, 'port-forwards', 'nonsense'));
  assert.equal(db.get('VIF', vif).other_config['port-forwards'], undefined);

  await root('VIF.set_qos_algorithm_params', vif, { kbps: 'fast' }); // without a type it means nothing
  await assert.rejects(root('VIF.set_qos_algorithm_type', vif, 'ratelimit'), code('VALUE_NOT_SUPPORTED'));
  await root('VIF.set_qos_algorithm_params', vif, { kbps: '100' });
  await root('VIF.set_qos_algorithm_type', vif, 'ratelimit');
  await assert.rejects(root('VIF.set_qos_algorithm_params', vif, { kbps: '-1' }), code('VALUE_NOT_SUPPORTED'));
  await root('VIF.remove_from_qos_algorithm_params', vif, 'kbps');
  await assert.rejects(root('VIF.add_to_qos_algorithm_params', vif, 'kbps', 'x'), code('VALUE_NOT_SUPPORTED'));
  const [vbd = ''] = db.get('VM', vm).VBDs;
  await root('VBD.set_qos_algorithm_type', vbd, 'ratelimit');
  await assert.rejects(root('VBD.set_qos_algorithm_params', vbd, { bps: 'nope' }), code('VALUE_NOT_SUPPORTED'));
  await root('VBD.set_qos_algorithm_params', vbd, { bps: '1000' });
  assert.deepEqual(db.get('VBD', vbd).qos_algorithm_params, { bps: '1000' });
});

test('a VM that is out of order already takes other changes', async () => {
  await using h = await testHouse();
  const d = await jsonDriver(h);
  const { db, root } = h.house;
  const vm = db.byUuid('VM', await d.install('Tiny Linux', 'broken'));
  db.set('VM', vm, { PV_kernel: '/gone/vmlinuz' });
  await root('VM.set_other_config', vm, { a: 'b' });
  assert.deepEqual(db.get('VM', vm).other_config, { a: 'b' });
  await assert.rejects(root('VM.start', vm, false, false), code('VALUE_NOT_SUPPORTED'));
});
