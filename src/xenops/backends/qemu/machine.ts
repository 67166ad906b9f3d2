/** Which machine QEMU is to imitate for a description. */
import { type VmSpec, xenopsErrors } from '../../../contracts/xenops.ts';
import { throttleOf } from './throttle.ts';

export type Accelerator = 'kvm' | 'tcg';
export type MachineType = 'pc' | 'q35' | 'microvm';
/** What QEMU is told, and told again when the guest is resumed: nothing in it may depend on a later QEMU's defaults. */
export interface Machine {
  readonly type: MachineType;
  /** QEMU's version as `MAJOR.MINOR`, which names the machine: `pc-i440fx-7.2`. */
  readonly version: string;
  readonly accelerator: Accelerator;
  readonly vga: 'std' | 'virtio' | 'cirrus' | 'none';
  readonly diskBus: 'virtio' | 'ide';
  readonly nicModel: 'virtio' | 'e1000' | 'rtl8139';
  /** Request queues of a virtio disk; by default QEMU makes one per CPU that is there at the time. */
  readonly diskQueues: number;
  /** It has a port for an agent in the guest; absent in what was saved before there was one. */
  readonly agent?: boolean;
}

/** Places where devices can be plugged while the guest runs. */
export const slotsOf: Readonly<Record<MachineType, number>> = { pc: 26, q35: 16, microvm: 8 };
/** Connectors for CD drives (and disks of guests without virtio). */
export const connectorsOf: Readonly<Record<MachineType, number>> = { pc: 4, q35: 6, microvm: 0 };

/** What `platform:KEY` says, which must be one of `values`. Bad_spec. */
export function pick<const V extends string>(spec: VmSpec, key: string, values: readonly V[], otherwise: V): V {
  const given = spec.platform[key];
  if (given === undefined || given === '') return otherwise;
  const found = values.find((v) => v === given);
  if (found === undefined)
    throw xenopsErrors.make('Bad_spec', {
      key: `platform:${key}`,
      value: given,
      reason: `"${given}" is not known; it may be ${values.join(', ')}`,
    });
  return found;
}

/**
 * The machine for a description. Kernels get `pc`: it starts fast and can hot-plug drives, interfaces and CPUs; `microvm`
 * (faster by some 50 ms, nothing can be plugged) on request. UEFI gets `q35`, which Secure Boot needs.
 */
export function machineFor(spec: VmSpec, version: string, accelerator: Accelerator): Machine {
  const kernel = spec.boot.kind === 'kernel';
  const type = pick(spec, 'machine', ['pc', 'q35', 'microvm'] as const, spec.boot.kind === 'uefi' ? 'q35' : 'pc');
  const bad = (reason: string) => xenopsErrors.make('Bad_spec', { key: 'platform:machine', value: type, reason });
  if (type === 'microvm' && !kernel) throw bad('"microvm" has no firmware that boots disks; use pc or q35');
  if (type === 'pc' && spec.boot.kind === 'uefi' && spec.boot.secureBoot) throw bad('Secure Boot needs q35');
  return {
    type,
    version,
    accelerator,
    // A kernel that is started directly talks on its serial port; a screen would cost it a quarter of a second.
    vga:
      type === 'microvm'
        ? 'none'
        : pick(spec, 'vga', ['std', 'virtio', 'cirrus', 'none'] as const, kernel ? 'none' : 'std'),
    diskQueues: Math.min(spec.vcpus.max, 4),
    agent: true,
    diskBus: type === 'microvm' ? 'virtio' : pick(spec, 'disk_bus', ['virtio', 'ide'] as const, 'virtio'),
    nicModel: type === 'microvm' ? 'virtio' : pick(spec, 'nic_type', ['virtio', 'e1000', 'rtl8139'] as const, 'virtio'),
  };
}

/** Linux takes 2048 characters; other kernels may take more. */
const longestCmdline = 16_384;

/** Refuses a description that QEMU cannot run. */
export function checkSpec(spec: VmSpec): void {
  const bad = (key: string, reason: string, value = '') => xenopsErrors.make('Bad_spec', { key, value, reason });
  const mib = 1 << 20;
  if (spec.domainType === 'pv')
    throw xenopsErrors.make('Unimplemented', { function: 'a paravirtualised (pv) guest', backend: 'qemu' });
  if (spec.boot.kind === 'bootloader')
    throw xenopsErrors.make('Unimplemented', { function: `the boot loader ${spec.boot.bootloader}`, backend: 'qemu' });
  if (spec.memory.staticMax < mib)
    throw bad('memory.staticMax', `it is too little; at least ${mib} bytes`, String(spec.memory.staticMax));
  if (spec.vcpus.max < 1 || spec.vcpus.max > 255)
    throw xenopsErrors.make('Invalid_vcpus', { count: spec.vcpus.max, max: 255 });
  if (spec.vcpus.current < 1 || spec.vcpus.current > spec.vcpus.max)
    throw xenopsErrors.make('Invalid_vcpus', { count: spec.vcpus.current, max: spec.vcpus.max });
  if (spec.boot.kind === 'kernel' && spec.boot.cmdline.length > longestCmdline)
    throw bad('boot.cmdline', `it has ${spec.boot.cmdline.length} characters; at most ${longestCmdline} are possible`);
  if (spec.boot.kind === 'kernel')
    for (const [key, text] of Object.entries({ cmdline: spec.boot.cmdline, kernel: spec.boot.kernel }))
      if (text.includes('\0')) throw bad(`boot.${key}`, 'it contains a NUL character');
  const given = (spec.pcis ?? []).length + (spec.usbs ?? []).length;
  if (given > 0 && spec.platform['machine'] === 'microvm')
    throw bad('platform:machine', 'a microvm has no places for devices of the host', 'microvm');
  const floppy = spec.vbds.find((v) => v.type === 'Floppy');
  if (floppy) throw xenopsErrors.make('Unimplemented', { function: `the floppy drive ${floppy.id}`, backend: 'qemu' });
  for (const vbd of spec.vbds) throttleOf(vbd);
  machineFor(spec, '0.0', 'tcg');
}
