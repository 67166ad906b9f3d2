/** What a client learns from the calls that ask whether something would be allowed, and from those that are refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonrpc, login } from './api-house.ts';
import { testHouse } from './house.ts';

test('assert_operation_valid speaks of the operation asked about, not of itself', async () => {
  await using h = await testHouse();
  const session = await login(h.url);
  const call = (method: string, ...params: unknown[]) => jsonrpc(h.url, method, session, ...params);
  const refused = async (method: string, ...params: unknown[]) => {
    const error: { wire?: string[] } = await call(method, ...params).then(
      () => ({}),
      (e: object) => e,
    );
    return error.wire?.join(' ') ?? '';
  };
  const [template] = await call('VM.get_by_name_label', 'Tiny Linux');
  const vm = await call('VM.clone', template, 'asked');
  await call('VM.provision', vm);
  await call('VM.assert_operation_valid', vm, 'start');
  assert.match(await refused('VM.assert_operation_valid', vm, 'pause'), /VM_BAD_POWER_STATE/);
  await Promise.all([
    ...Array.from({ length: 20 }, () => call('VM.assert_operation_valid', vm, 'get_boot_record')),
    call('VM.update_allowed_operations', vm),
    call('VM.start', vm, false, false),
  ]);
  await call('VM.assert_operation_valid', vm, 'pause');
  assert.match(await refused('VM.destroy', vm), /halted, suspended/);
});
