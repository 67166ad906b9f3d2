/** Failures of the neighbours, as the API words them. One row per kind, so that a new kind does not compile without one. */
import { ContractError } from '../../contracts/contract.ts';
import type { networkErrors } from '../../contracts/network.ts';
import { storageErrors } from '../../contracts/storage.ts';
import type { xenopsErrors } from '../../contracts/xenops.ts';
import { ApiError, fail, toApiError } from '../../datamodel/errors.ts';
import type { Reader } from '../../db/db.ts';

type Kind =
  | keyof (typeof xenopsErrors)['sentences']
  | keyof (typeof storageErrors)['sentences']
  | keyof (typeof networkErrors)['sentences'];
interface Names {
  /** Reference of a VM, VBD, VIF, VDI or SR by its UUID (or the UUID when it has none). */
  vm(uuid: unknown): string;
  device(uuid: unknown): string;
  vdi(uuid: unknown): string;
  sr(uuid: unknown): string;
  task: string;
}
type Row = (e: ContractError, n: Names) => ApiError;

const internal: Row = (e) => fail('INTERNAL_ERROR', { message: e.message });
const storage =
  (code: string): Row =>
  (e) =>
    ApiError.fromWire([`SR_BACKEND_FAILURE_${code}`, '', e.message, '']);
const missing: Readonly<Record<string, string>> = {
  VM: 'VM',
  VBD: 'VBD',
  VIF: 'VIF',
  disk: 'VDI',
  VDI: 'VDI',
  repository: 'SR',
  SR: 'SR',
};

/** Parts of a description by the fields that they are made of; others have the same name, or one that tells. */
const fields: Readonly<Record<string, string>> = {
  'memory.staticMax': 'memory_static_max',
  'memory.dynamicMax': 'memory_dynamic_max',
  'memory.dynamicMin': 'memory_dynamic_min',
  'vcpus.max': 'VCPUs_max',
  'vcpus.current': 'VCPUs_at_startup',
  'boot.kernel': 'PV_kernel',
  'boot.ramdisk': 'PV_ramdisk',
  'boot.cmdline': 'PV_args',
  pcis: 'other_config:pci',
  usbs: 'VUSBs',
};
const fieldOf = (key: string): string => (Object.hasOwn(fields, key) ? (fields[key] ?? key) : key);

const rows: Readonly<Record<Kind, Row>> = {
  Already_exists: internal,
  Does_not_exist: (e) => {
    const cls = missing[String(e.args['what'])];
    return cls
      ? fail('HANDLE_INVALID', { class: cls, handle: String(e.args['id']) })
      : fail('INTERNAL_ERROR', { message: e.message });
  },
  Bad_power_state: (e, n) =>
    fail('VM_BAD_POWER_STATE', {
      vm: n.vm(e.args['vm']),
      expected: String(e.args['expected']).toLowerCase(),
      actual: String(e.args['found']).toLowerCase(),
    }),
  Unimplemented: (e) => fail('OPERATION_NOT_ALLOWED', { reason: e.message }),
  Bad_spec: (e) =>
    fail('VALUE_NOT_SUPPORTED', {
      field: fieldOf(String(e.args['key'])),
      value: String(e.args['value'] ?? ''),
      reason: String(e.args['reason']),
    }),
  Not_enough_memory: (e) =>
    fail('HOST_NOT_ENOUGH_FREE_MEMORY', { needed: String(e.args['needed']), available: String(e.args['free']) }),
  Invalid_vcpus: (e) => fail('INVALID_VALUE', { field: 'VCPUs', value: String(e.args['count']) }),
  Failed_to_acknowledge_shutdown_request: (e, n) =>
    fail('VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT', { vm: n.vm(e.args['vm']) }),
  Failed_to_shutdown: (e, n) =>
    fail('VM_SHUTDOWN_TIMEOUT', { vm: n.vm(e.args['vm']), timeout: String(e.args['timeoutS']) }),
  Failed_to_suspend: (e, n) => fail('VM_NON_SUSPENDABLE', { vm: n.vm(e.args['vm']), reason: String(e.args['reason']) }),
  Failed_to_freeze: (e, n) =>
    fail('VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED', { vm: n.vm(e.args['vm']), error: String(e.args['reason']) }),
  Failed_to_migrate: (e, n) =>
    fail('VM_MIGRATE_FAILED', { vm: n.vm(e.args['vm']), source: '', destination: '', msg: String(e.args['reason']) }),
  Device_is_connected: (e, n) => fail('DEVICE_ALREADY_ATTACHED', { device: n.device(e.args['id']) }),
  Device_not_connected: (e, n) => fail('DEVICE_ALREADY_DETACHED', { device: n.device(e.args['id']) }),
  Device_detach_rejected: (e, n) =>
    fail('DEVICE_DETACH_REJECTED', { type: 'VBD', ref: n.device(e.args['id']), msg: String(e.args['reason']) }),
  Media_not_ejectable: (e, n) => fail('VBD_NOT_REMOVABLE_MEDIA', { vbd: n.device(e.args['id']) }),
  Media_present: (e, n) => fail('VBD_NOT_EMPTY', { vbd: n.device(e.args['id']) }),
  Media_not_present: (e, n) => fail('VBD_IS_EMPTY', { vbd: n.device(e.args['id']) }),
  No_bootable_device: (e, n) => fail('BOOTLOADER_FAILED', { vm: n.vm(e.args['vm']), msg: e.message }),
  Unknown_bootloader: (e, n) =>
    fail('UNKNOWN_BOOTLOADER', { vm: n.vm(e.args['vm']), bootloader: String(e.args['loader']) }),
  Bootloader_error: (e, n) => fail('BOOTLOADER_FAILED', { vm: n.vm(e.args['vm']), msg: String(e.args['reason']) }),
  Failed_to_start_emulator: internal,
  Domain_not_built: (e) => fail('OPERATION_NOT_ALLOWED', { reason: e.message }),
  Failed_to_run_script: (e) => fail('OPERATION_NOT_ALLOWED', { reason: e.message }),
  Hook_failed: (e) => fail('OPERATION_NOT_ALLOWED', { reason: e.message }),
  Storage_error: (e, n) => {
    const { code, params } = e.args;
    const own = typeof code === 'string' && code in storageErrors.sentences ? (code as keyof typeof rows) : undefined;
    if (own === undefined) return storage('46')(e, n);
    return rows[own](new ContractError(own, params as ContractError['args'], e.message, { cause: e }), n);
  },
  Network_error: internal,
  Io_error: internal,
  Timed_out: internal,
  Cancelled: (_, n) => fail('TASK_CANCELLED', { task: n.task }),
  Interrupted: internal,
  Internal_error: internal,
  Unknown_type: (e) => fail('SR_UNKNOWN_DRIVER', { driver: String(e.args['type']) }),
  Bad_config: (e) => ApiError.fromWire([`SR_BACKEND_FAILURE_90`, '', e.message, '']),
  Sr_not_attached: (e, n) => fail('SR_NOT_ATTACHED', { sr: n.sr(e.args['sr']) }),
  Sr_in_use: () => fail('SR_DEVICE_IN_USE', {}),
  Sr_not_empty: () => fail('SR_NOT_EMPTY', {}),
  Sr_full: (e) => fail('SR_FULL', { requested: String(e.args['needed']), maximum: String(e.args['free']) }),
  Vdi_in_use: (e, n) =>
    fail('VDI_IN_USE', { vdi: n.vdi(e.args['vdi']), operation: `open by ${String(e.args['user'])}` }),
  Chain_too_long: storage('109'),
  Not_open: internal,
  Vdi_read_only: (e, n) => fail('VDI_READONLY', { vdi: n.vdi(e.args['vdi']) }),
  Bad_size: (e) =>
    fail('VALUE_NOT_SUPPORTED', {
      field: 'virtual_size',
      value: String(e.args['size']),
      reason: String(e.args['reason']),
    }),
  Not_supported: (e) => fail('OPERATION_NOT_ALLOWED', { reason: e.message }),
  Bad_data: (e) => ApiError.fromWire(['SR_BACKEND_FAILURE_77', '', e.message, '']),
  Tool_failed: storage('78'),
  Not_possible: (e) => fail('OPERATION_NOT_ALLOWED', { reason: e.message }),
  Bad_name: (e) => fail('INVALID_VALUE', { field: 'bridge', value: String(e.args['name']) }),
  Foreign: (e) => fail('BRIDGE_NAME_EXISTS', { bridge: String(e.args['name']) }),
  In_use: (e) => fail('OPERATION_NOT_ALLOWED', { reason: e.message }),
  Port_taken: (e) => fail('OPERATION_NOT_ALLOWED', { reason: e.message }),
};

/** Whatever a neighbour threw, in the API's words. `task` names the task of the call. */
export function translateError(db: Reader, error: unknown, task: string): ApiError {
  if (!(error instanceof ContractError)) return toApiError(error);
  const row = Object.hasOwn(rows, error.kind) ? rows[error.kind as Kind] : internal;
  const byUuid = (cls: 'VM' | 'VDI' | 'SR' | 'VBD' | 'VIF') => (uuid: unknown) => db.findByUuid(cls, String(uuid));
  const names: Names = {
    vm: (u) => byUuid('VM')(u) ?? String(u),
    vdi: (u) => byUuid('VDI')(u) ?? String(u),
    sr: (u) => byUuid('SR')(u) ?? String(u),
    device: (u) => byUuid('VBD')(u) ?? byUuid('VIF')(u) ?? String(u),
    task,
  };
  const made = row(error, names);
  return ApiError.fromWire(made.wire, { cause: error });
}
