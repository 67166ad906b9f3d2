/** When each operation on a VBD, VIF, VDI, SR and host is allowed. Source: reference/xenapi/NOTES.md §12. */
import { type Refusal, refusal } from '../errors.ts';
import type { Rec } from '../index.ts';

type Op<C extends 'VBD' | 'VIF' | 'VDI' | 'SR' | 'host'> = Rec<C>['allowed_operations'][number];

const busy = (cls: string, ref: string, current: Readonly<Record<string, string>>): Refusal | undefined => {
  const [task, op] = Object.entries(current)[0] ?? [];
  return task && op
    ? refusal('OTHER_OPERATION_IN_PROGRESS', { class: cls, object: ref, operation_type: op, operation_ref: task })
    : undefined;
};
const wrongPower = (vm: string, expected: readonly string[], actual: string) =>
  refusal('VM_BAD_POWER_STATE', {
    vm,
    expected: expected.map((p) => p.toLowerCase()).join(', '),
    actual: actual.toLowerCase(),
  });

/** The VM of a device, as far as the guards look at it. */
export interface Owner {
  readonly ref: string;
  readonly power: Rec<'VM'>['power_state'];
}

export const vbdOperations: readonly Op<'VBD'>[] = [
  'attach',
  'eject',
  'insert',
  'plug',
  'unplug',
  'unplug_force',
  'pause',
  'unpause',
];
type VbdView = Pick<Rec<'VBD'>, 'type' | 'empty' | 'currently_attached' | 'unpluggable' | 'current_operations' | 'VM'>;

/** Why `op` may not start on the VBD now; undefined when it may. */
export function refuseVbd(op: Op<'VBD'>, vbd: VbdView, ref: string, vm: Owner): Refusal | undefined {
  const other = busy('VBD', ref, vbd.current_operations);
  if (other) return other;
  const running = vm.power === 'Running' || vm.power === 'Paused';
  switch (op) {
    case 'insert':
    case 'eject':
      if (vbd.type !== 'CD') return refusal('VBD_NOT_REMOVABLE_MEDIA', { vbd: ref });
      if (vm.power === 'Suspended') return wrongPower(vm.ref, ['Running', 'Halted', 'Paused'], vm.power);
      if (op === 'insert') return vbd.empty ? undefined : refusal('VBD_NOT_EMPTY', { vbd: ref });
      return vbd.empty ? refusal('VBD_IS_EMPTY', { vbd: ref }) : undefined;
    case 'plug':
      if (!running) return wrongPower(vm.ref, ['Running', 'Paused'], vm.power);
      return vbd.currently_attached ? refusal('DEVICE_ALREADY_ATTACHED', { device: ref }) : undefined;
    case 'attach':
      return vbd.currently_attached ? refusal('DEVICE_ALREADY_ATTACHED', { device: ref }) : undefined;
    case 'unplug':
    case 'unplug_force':
      if (!running) return wrongPower(vm.ref, ['Running', 'Paused'], vm.power);
      if (!vbd.currently_attached) return refusal('DEVICE_ALREADY_DETACHED', { device: ref });
      return vbd.type === 'CD' ? refusal('VBD_NOT_UNPLUGGABLE', { vbd: ref }) : undefined;
    case 'pause':
    case 'unpause':
      return vbd.currently_attached ? undefined : refusal('DEVICE_NOT_ATTACHED', { VBD: ref });
  }
}

export const vifOperations: readonly Op<'VIF'>[] = ['attach', 'plug', 'unplug'];
type VifView = Pick<Rec<'VIF'>, 'currently_attached' | 'current_operations' | 'VM'>;

export function refuseVif(op: Op<'VIF'>, vif: VifView, ref: string, vm: Owner): Refusal | undefined {
  const other = busy('VIF', ref, vif.current_operations);
  if (other) return other;
  const running = vm.power === 'Running' || vm.power === 'Paused';
  if (op !== 'attach' && !running) return wrongPower(vm.ref, ['Running', 'Paused'], vm.power);
  if (op === 'unplug') return vif.currently_attached ? undefined : refusal('DEVICE_ALREADY_DETACHED', { device: ref });
  return vif.currently_attached ? refusal('DEVICE_ALREADY_ATTACHED', { device: ref }) : undefined;
}

export const vdiOperations: readonly Op<'VDI'>[] = [
  'snapshot',
  'clone',
  'copy',
  'resize',
  'destroy',
  'forget',
  'update',
  'generate_config',
  'force_unlock',
];
type VdiView = Pick<Rec<'VDI'>, 'managed' | 'missing' | 'read_only' | 'type' | 'current_operations' | 'is_a_snapshot'>;
/** What is attached to the disk, and what its SR can do. */
export interface VdiSurroundings {
  /** VBDs that are plugged now. */
  readonly attached: readonly string[];
  /** Whether a running guest writes to it. */
  readonly writer: boolean;
  readonly contentType: string;
}
const shareable = new Set<string>(['clone', 'copy', 'snapshot', 'generate_config', 'update']);

export function refuseVdi(op: Op<'VDI'>, vdi: VdiView, ref: string, around: VdiSurroundings): Refusal | undefined {
  for (const [, running] of Object.entries(vdi.current_operations)) {
    const both = shareable.has(op) && shareable.has(running);
    if (!both) return refusal('VDI_IN_USE', { vdi: ref, operation: running });
  }
  if (vdi.missing && op !== 'forget') return refusal('VDI_NOT_AVAILABLE', { vdi: ref });
  if (!vdi.managed && op !== 'forget' && op !== 'update') return refusal('VDI_NOT_MANAGED', { vdi: ref });
  if (
    around.contentType === 'iso' &&
    !['copy', 'destroy', 'update', 'forget', 'generate_config', 'force_unlock'].includes(op)
  ) {
    return refusal('OPERATION_NOT_ALLOWED', { reason: `A CD image cannot be changed: ${op}` });
  }
  switch (op) {
    case 'destroy':
    case 'forget':
    case 'resize':
    case 'force_unlock':
      return around.attached.length > 0 ? refusal('VDI_IN_USE', { vdi: ref, operation: op }) : undefined;
    case 'clone':
    case 'copy':
      return around.writer ? refusal('VDI_IN_USE', { vdi: ref, operation: op }) : undefined;
    default:
      return undefined;
  }
}

export const srOperations: readonly Op<'SR'>[] = [
  'scan',
  'destroy',
  'forget',
  'plug',
  'unplug',
  'update',
  'vdi_create',
  'vdi_introduce',
  'vdi_destroy',
  'vdi_resize',
  'vdi_clone', // …
  'vdi_snapshot',
  'vdi_copy',
  'vdi_forget',
  'vdi_update',
  'pbd_create',
  'pbd_destroy',
];
type SrView = Pick<Rec<'SR'>, 'current_operations' | 'content_type' | 'other_config'>;
export interface SrSurroundings {
  /** PBDs, and those that are plugged. */
  readonly pbds: number;
  readonly plugged: number;
  readonly vdis: number;
}
const exclusive = new Set<string>(['destroy', 'forget']);

export function refuseSr(op: Op<'SR'>, sr: SrView, ref: string, around: SrSurroundings): Refusal | undefined {
  for (const [task, running] of Object.entries(sr.current_operations)) {
    if (exclusive.has(op) || exclusive.has(running)) {
      return refusal('OTHER_OPERATION_IN_PROGRESS', {
        class: 'SR',
        object: ref,
        operation_type: running,
        operation_ref: task,
      });
    }
  }
  if (exclusive.has(op) && around.plugged > 0) return refusal('SR_HAS_PBD', { sr: ref });
  if (op === 'destroy') {
    if (sr.other_config['indestructible'] === 'true') return refusal('SR_INDESTRUCTIBLE', { sr: ref });
    if (around.pbds === 0) return refusal('SR_HAS_NO_PBDS', { sr: ref });
  }
  if ((op === 'scan' || op.startsWith('vdi_')) && around.plugged === 0) return refusal('SR_NOT_ATTACHED', { sr: ref });
  if (sr.content_type === 'iso' && ['vdi_resize', 'vdi_clone', 'vdi_snapshot'].includes(op))
    return refusal('SR_OPERATION_NOT_SUPPORTED', { sr: ref });
  return undefined;
}

export const hostOperations: readonly Op<'host'>[] = [
  'provision',
  'evacuate',
  'shutdown',
  'reboot',
  'power_on',
  'vm_start',
  'vm_resume',
  'vm_migrate',
  'apply_updates',
  'enable',
];
export interface HostView {
  readonly enabled: boolean;
  readonly live: boolean;
  readonly current: Readonly<Record<string, string>>;
}
const movesVms = new Set<string>(['provision', 'vm_resume', 'vm_migrate', 'vm_start']);
const goesDown = new Set<string>(['evacuate', 'reboot', 'shutdown']);

export function refuseHost(op: Op<'host'>, host: HostView, ref: string): Refusal | undefined {
  for (const [task, running] of Object.entries(host.current)) {
    const clash =
      (goesDown.has(op) && (goesDown.has(running) || movesVms.has(running))) ||
      (movesVms.has(op) && goesDown.has(running));
    if (clash)
      return refusal('OTHER_OPERATION_IN_PROGRESS', {
        class: 'host',
        object: ref,
        operation_type: running,
        operation_ref: task,
      });
  }
  if (['reboot', 'shutdown', 'apply_updates'].includes(op) && host.enabled) return refusal('HOST_NOT_DISABLED', {});
  if (op === 'power_on')
    return host.live ? refusal('OPERATION_NOT_ALLOWED', { reason: 'The host is live already' }) : undefined;
  if (!host.live) return refusal('HOST_NOT_LIVE', {});
  return undefined;
}
