/**
 * When each operation on a VM is allowed: the guard of a call, the source of `allowed_operations`, and why a button is grey.
 *
 *     Halted ──start──▶ Running ──suspend──▶ Suspended
 *       ▲ │               │ ▲ ◀────resume──────┘  │
 *       │ └─start paused  │ │                     │
 *       │        └──────▶ Paused                  │
 *       └──shutdown, power_state_reset────────────┘
 *
 * Source: reference/xenapi/NOTES.md §12. The checks run in its order; the first that fails is the answer.
 */
import { type Refusal, refusal } from '../errors.ts';
import type { Rec } from '../index.ts';

export type VmOperation = Rec<'VM'>['allowed_operations'][number];
export type VmPower = Rec<'VM'>['power_state'];
/** What the guard looks at. */
export type VmView = Pick<
  Rec<'VM'>,
  | 'power_state'
  | 'is_a_template'
  | 'is_default_template'
  | 'is_a_snapshot'
  | 'is_control_domain' // prettier kept short
  | 'blocked_operations'
  | 'current_operations'
  | 'other_config'
>;

const any: readonly VmPower[] = ['Halted', 'Paused', 'Running', 'Suspended'];
const live: readonly VmPower[] = ['Running'];
const off: readonly VmPower[] = ['Halted'];

/** Operation → the power states that it may start from. */
export const needs: Readonly<Record<VmOperation, readonly VmPower[]>> = {
  snapshot: any,
  snapshot_with_quiesce: live,
  checkpoint: ['Running', 'Paused', 'Suspended'],
  revert: any,
  reverting: any,
  clone: ['Halted', 'Suspended'],
  copy: ['Halted', 'Suspended'],
  create_template: off,
  provision: off,
  start: off,
  start_on: off,
  pause: live,
  unpause: ['Paused'],
  clean_shutdown: live,
  clean_reboot: live,
  shutdown: ['Running', 'Paused', 'Suspended'],
  hard_shutdown: ['Running', 'Paused', 'Suspended'],
  hard_reboot: ['Running', 'Paused'],
  power_state_reset: any,
  suspend: live,
  csvm: live,
  resume: ['Suspended'],
  resume_on: ['Suspended'],
  pool_migrate: live,
  migrate_send: ['Running', 'Suspended', 'Halted'],
  get_boot_record: any,
  send_sysrq: live,
  send_trigger: live,
  query_services: live,
  call_plugin: live,
  changing_memory_live: live,
  awaiting_memory_live: live,
  changing_dynamic_range: ['Halted', 'Running'],
  changing_static_range: off,
  changing_memory_limits: off,
  changing_shadow_memory: off,
  changing_shadow_memory_live: live,
  changing_VCPUs: off,
  changing_VCPUs_live: live,
  changing_NVRAM: off,
  assert_operation_valid: any,
  data_source_op: live,
  update_allowed_operations: any,
  make_into_template: off,
  import: any,
  export: ['Halted', 'Suspended'],
  metadata_export: any,
  destroy: ['Halted', 'Suspended'],
  create_vtpm: off,
  sysprep: live,
};

/** Left out of `allowed_operations`. */
const unlisted = new Set<VmOperation>([
  'create_template',
  'power_state_reset',
  'csvm',
  'get_boot_record',
  'send_sysrq',
  'send_trigger',
  'query_services',
  'shutdown', // …
  'call_plugin',
  'changing_memory_live',
  'awaiting_memory_live',
  'changing_memory_limits',
  'changing_shadow_memory_live', // …
  'changing_VCPUs',
  'assert_operation_valid',
  'data_source_op',
  'update_allowed_operations',
  'import',
  'reverting',
]);
const onTemplates = new Set<VmOperation>([
  'changing_dynamic_range',
  'changing_static_range',
  'changing_memory_limits',
  'changing_shadow_memory',
  'changing_VCPUs', // …
  'changing_NVRAM',
  'clone',
  'copy',
  'export',
  'metadata_export',
  'provision',
  'get_boot_record',
  'update_allowed_operations', // …
  'assert_operation_valid',
]);
const onOwnTemplates = new Set<VmOperation>(['destroy', 'migrate_send']);
const onSnapshots = new Set<VmOperation>([
  'revert',
  'clone',
  'copy',
  'export',
  'destroy',
  'hard_shutdown',
  'metadata_export',
  'get_boot_record',
  'update_allowed_operations', // …
  'assert_operation_valid',
  'create_template',
]);
const onControlDomain = new Set<VmOperation>([
  'changing_dynamic_range',
  'changing_static_range',
  'changing_memory_limits',
  'changing_VCPUs',
  'metadata_export', // …
  'changing_memory_live',
  'awaiting_memory_live',
  'data_source_op',
  'update_allowed_operations',
  'assert_operation_valid',
  'get_boot_record',
]);
const copies = new Set<string>(['clone', 'copy', 'export']);
const snapshots = new Set<string>(['snapshot', 'checkpoint']);
const duringMigration = new Set<string>(['metadata_export', 'clean_shutdown', 'clean_reboot']);

/** Whether `op` may begin while `running` is going on. */
function together(op: VmOperation, running: string): boolean {
  if (op === 'hard_shutdown') return running !== 'hard_shutdown';
  if (op === 'hard_reboot') return running !== 'hard_reboot' && running !== 'hard_shutdown';
  if (op === 'get_boot_record' || op === 'update_allowed_operations' || op === 'assert_operation_valid') return true;
  if (op === 'power_state_reset') return true;
  if (copies.has(op) && copies.has(running)) return true;
  if (snapshots.has(op) && snapshots.has(running)) return true;
  return running === 'migrate_send' && duringMigration.has(op);
}

const statesFor = (op: VmOperation, vm: VmView): readonly VmPower[] =>
  vm.is_control_domain && op.startsWith('changing_') ? any : needs[op];

/** Why `op` may not start on the VM now; undefined when it may. */
export function refuseVm(op: VmOperation, vm: VmView, ref: string): Refusal | undefined {
  const blocked = vm.blocked_operations[op];
  if (blocked !== undefined) return refusal('OPERATION_BLOCKED', { ref, code: blocked });
  const states = statesFor(op, vm);
  if (!states.includes(vm.power_state)) {
    const expected = states.map((p) => p.toLowerCase()).join(', ');
    return refusal('VM_BAD_POWER_STATE', { vm: ref, expected, actual: vm.power_state.toLowerCase() });
  }
  for (const [task, running] of Object.entries(vm.current_operations)) {
    if (!together(op, running)) {
      return refusal('OTHER_OPERATION_IN_PROGRESS', {
        class: 'VM',
        object: ref,
        operation_type: running,
        operation_ref: task,
      });
    }
  }
  return refuseKind(op, vm, ref);
}

function refuseKind(op: VmOperation, vm: VmView, ref: string): Refusal | undefined {
  if (vm.is_a_snapshot) {
    return onSnapshots.has(op) ? undefined : refusal('VM_IS_SNAPSHOT', [ref, op]);
  }
  if (vm.is_a_template) {
    const fine = onTemplates.has(op) || (!vm.is_default_template && onOwnTemplates.has(op));
    return fine ? undefined : refusal('VM_IS_TEMPLATE', { vm: ref });
  }
  if (op === 'provision') return refusal('PROVISION_ONLY_ALLOWED_ON_TEMPLATE', {});
  if (op === 'revert') return refusal('REVERT_ONLY_ALLOWED_ON_SNAPSHOT', []);
  if (vm.is_control_domain && !onControlDomain.has(op)) {
    return refusal('OPERATION_NOT_ALLOWED', { reason: `This is a control domain: ${op} is not possible on it` });
  }
  return undefined;
}

/** The value of `allowed_operations`. */
export function allowedVm(vm: VmView, ref: string): VmOperation[] {
  // Asked at every change of a VM: what its power state rules out is not worth an error.
  return listed.filter((op) => statesFor(op, vm).includes(vm.power_state) && refuseVm(op, vm, ref) === undefined);
}
const listed = (Object.keys(needs) as VmOperation[]).filter((op) => !unlisted.has(op));
