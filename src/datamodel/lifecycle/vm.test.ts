import assert from 'node:assert/strict';
import test from 'node:test';
import { allowedVm, refuseVm, type VmOperation, type VmView } from './vm.ts';

const vm = (patch: Partial<VmView> = {}): VmView => ({
  power_state: 'Halted',
  is_a_template: false,
  is_default_template: false,
  is_a_snapshot: false,
  is_control_domain: false,
  blocked_operations: {},
  current_operations: {},
  other_config: {},
  ...patch,
});
const refusal = (op: VmOperation, view: VmView) => refuseVm(op, view, 'OpaqueRef:1')?.().wire;

test('a wrong power state is refused with the states that would do', () => {
  assert.deepEqual(refusal('pause', vm()), ['VM_BAD_POWER_STATE', 'OpaqueRef:1', 'running', 'halted']);
  assert.deepEqual(refusal('hard_shutdown', vm()), [
    'VM_BAD_POWER_STATE',
    'OpaqueRef:1',
    'running, paused, suspended',
    'halted',
  ]);
  assert.equal(refusal('start', vm()), undefined);
});

test('blocked operations are refused first, with their reason', () => {
  assert.deepEqual(refusal('pause', vm({ blocked_operations: { pause: 'no' } })), [
    'OPERATION_BLOCKED',
    'OpaqueRef:1',
    'no',
  ]);
});

test('operations exclude each other, save those that may go together', () => {
  const during = (op: string) =>
    vm({ power_state: 'Running', current_operations: { 'OpaqueRef:t': op as VmOperation } });
  assert.deepEqual(refusal('pause', during('clean_shutdown')), [
    'OTHER_OPERATION_IN_PROGRESS',
    'VM',
    'OpaqueRef:1',
    'clean_shutdown',
    'OpaqueRef:t',
  ]);
  assert.equal(refusal('hard_shutdown', during('clean_shutdown')), undefined);
  assert.equal(refusal('hard_shutdown', during('hard_shutdown'))?.[0], 'OTHER_OPERATION_IN_PROGRESS');
  assert.equal(refusal('hard_reboot', during('hard_shutdown'))?.[0], 'OTHER_OPERATION_IN_PROGRESS');
  const copying = vm({ current_operations: { 'OpaqueRef:t': 'clone' } });
  assert.equal(refusal('copy', copying), undefined);
  assert.equal(refusal('start', copying)?.[0], 'OTHER_OPERATION_IN_PROGRESS');
});

test('templates, snapshots and the control domain allow what fits them', () => {
  assert.deepEqual(refusal('start', vm({ is_a_template: true })), ['VM_IS_TEMPLATE', 'OpaqueRef:1']);
  assert.equal(refusal('provision', vm({ is_a_template: true })), undefined);
  assert.equal(refusal('provision', vm())?.[0], 'PROVISION_ONLY_ALLOWED_ON_TEMPLATE');
  assert.equal(refusal('destroy', vm({ is_a_template: true, is_default_template: true }))?.[0], 'VM_IS_TEMPLATE');
  assert.equal(refusal('revert', vm({ is_a_template: true, is_a_snapshot: true })), undefined);
  assert.equal(refusal('start', vm({ is_a_template: true, is_a_snapshot: true }))?.[0], 'VM_IS_SNAPSHOT');
  assert.equal(
    refusal('clean_shutdown', vm({ power_state: 'Running', is_control_domain: true }))?.[0],
    'OPERATION_NOT_ALLOWED',
  );
});

test('allowed_operations of a running and of a halted VM', () => {
  const running = allowedVm(vm({ power_state: 'Running' }), 'r');
  for (const op of ['pause', 'suspend', 'clean_shutdown', 'hard_reboot', 'changing_VCPUs_live'] as const)
    assert.ok(running.includes(op), op);
  for (const op of ['start', 'destroy', 'send_sysrq', 'call_plugin'] as const) assert.ok(!running.includes(op), op);
  const off = allowedVm(vm(), 'r');
  for (const op of ['start', 'start_on', 'clone', 'copy', 'destroy', 'export', 'changing_static_range'] as const)
    assert.ok(off.includes(op), op);
});
