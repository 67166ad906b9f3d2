/** The domain manager's errors in the words of the interface: every kind has its row. */
import { ContractError } from '../../contracts/contract.ts';
import type { PowerState, xenopsErrors } from '../../contracts/xenops.ts';
import { WireError } from './shape.ts';
import type { XenopsdError } from './types.ts';

/** A failure that is in the words of the interface already. */
export class DoorError extends Error {
  override readonly name = 'DoorError';
  readonly variant: XenopsdError;
  constructor(variant: XenopsdError) {
    super(typeof variant === 'string' ? variant : `${variant[0]}: ${JSON.stringify(variant[1])}`);
    this.variant = variant;
  }
}
export const unimplemented = (what: string): DoorError => new DoorError(['Unimplemented', what]);
export const missing = (kind: string, id: string): DoorError => new DoorError(['Does_not_exist', [kind, id]]);

type Kind = keyof typeof xenopsErrors.sentences;
const text = (e: ContractError, name: string): string => String(e.args[name] ?? '');
const internal = (e: ContractError): XenopsdError => ['Internal_error', e.message];
const powers: readonly PowerState[] = ['Halted', 'Running', 'Paused', 'Suspended'];
const power = (value: unknown): PowerState =>
  powers.find((p) => p === value) ?? powers.find((p) => String(value).startsWith(p)) ?? 'Halted';

const rows: Readonly<Record<Kind, (e: ContractError) => XenopsdError>> = {
  Already_exists: (e) => ['Already_exists', [text(e, 'what'), text(e, 'id')]],
  Does_not_exist: (e) => ['Does_not_exist', [text(e, 'what'), text(e, 'id')]],
  Bad_power_state: (e) => ['Bad_power_state', [power(e.args['found']), power(e.args['expected'])]],
  Unimplemented: (e) => ['Unimplemented', `${text(e, 'function')} on ${text(e, 'backend')}`],
  Bad_spec: internal,
  Not_enough_memory: (e) => ['Not_enough_memory', Number(e.args['needed'] ?? 0)],
  Invalid_vcpus: (e) => ['Invalid_vcpus', Number(e.args['max'] ?? 0)],
  Failed_to_acknowledge_shutdown_request: () => 'Failed_to_acknowledge_shutdown_request',
  Failed_to_shutdown: (e) => ['Failed_to_shutdown', [text(e, 'vm'), Number(e.args['timeoutS'] ?? 0)]],
  Failed_to_suspend: (e) => ['Failed_to_suspend', [text(e, 'vm'), Number(e.args['timeoutS'] ?? 0)]],
  Failed_to_freeze: internal,
  Failed_to_migrate: internal,
  Domain_not_built: () => 'Domain_not_built',
  Failed_to_run_script: (e) => ['Failed_to_run_script', text(e, 'reason')],
  Device_is_connected: () => 'Device_is_connected',
  Device_not_connected: () => 'Device_not_connected',
  Device_detach_rejected: (e) => ['Device_detach_rejected', ['VBD', text(e, 'id'), text(e, 'reason')]],
  Media_not_ejectable: () => 'Media_not_ejectable',
  Media_present: () => 'Media_present',
  Media_not_present: () => 'Media_not_present',
  No_bootable_device: () => 'No_bootable_device',
  Unknown_bootloader: (e) => ['Bootloader_error', [text(e, 'vm'), e.message]],
  Bootloader_error: (e) => ['Bootloader_error', [text(e, 'vm'), text(e, 'reason')]],
  Failed_to_start_emulator: (e) => ['Failed_to_start_emulator', [text(e, 'vm'), 'qemu', text(e, 'reason')]],
  Hook_failed: (e) => ['Hook_failed', [text(e, 'hook'), text(e, 'reason'), text(e, 'output'), text(e, 'status')]],
  Storage_error: (e) => ['Storage_backend_error', [text(e, 'code') || 'SR_BACKEND_FAILURE', [text(e, 'reason')]]],
  Network_error: internal,
  Io_error: (e) => (e.message === '' ? 'IO_error' : internal(e)),
  Timed_out: internal,
  Cancelled: (e) => ['Cancelled', text(e, 'task')],
  Interrupted: internal,
  Internal_error: (e) => ['Internal_error', text(e, 'reason')],
};

/** Any failure as a variant; what nobody declared is an internal error. */
export function errorVariant(error: unknown): XenopsdError {
  if (error instanceof DoorError) return error.variant;
  if (error instanceof WireError) return ['Internal_error', error.message];
  if (error instanceof ContractError && Object.hasOwn(rows, error.kind)) return rows[error.kind as Kind](error);
  return ['Internal_error', error instanceof Error ? error.message : String(error)];
}
