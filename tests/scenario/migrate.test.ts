/** `VM.pool_migrate` to the host itself, on the simulator. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { testHouse } from './house.ts';

test('a running VM moves to another domain of its host, through XenAPI', async () => {
  await using h = await testHouse();
  const { root } = h.house;
  const [template] = (await root('VM.get_by_name_label', 'Tiny Linux')) as string[];
  const vm = (await root('VM.clone', template, 'moved')) as string;
  await root('VM.provision', vm);
  await assert.rejects(root('VM.pool_migrate', vm, 'OpaqueRef:NULL', {}), /HANDLE_INVALID|VM_BAD_POWER_STATE/);
  const [host] = (await root('host.get_all')) as string[];
  await assert.rejects(root('VM.pool_migrate', vm, host, {}), /VM_BAD_POWER_STATE/);
  await root('VM.start', vm, false, false);
  const before = (await root('VM.get_domid', vm)) as number;
  await root('VM.pool_migrate', vm, host, { live: 'true' });
  assert.equal(await root('VM.get_power_state', vm), 'Running');
  assert.equal(await root('VM.get_resident_on', vm), host);
  const after = (await root('VM.get_domid', vm)) as number;
  assert.ok(Number(after) > 0 && after !== before, `domain ${after}, before ${before}`);
  await root('VM.hard_shutdown', vm);
});
