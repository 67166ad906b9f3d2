/** What this ground can do, and what it refuses before anything is made. */
import { type VmSpec, xenopsErrors } from '../../../contracts/xenops.ts';
import type { HostInfo } from '../../../xen/libxenctrl.ts';
import { screenOf } from './machine.ts';

const bad = (key: string, reason: string) => xenopsErrors.make('Bad_spec', { key, reason });
const mib = 1 << 20;
/** PV guests have their CPUs' state in one page of the hypervisor's. */
const mostVcpus = { pv: 512, pvh: 128, hvm: 128 } as const;

/** Bad_spec, Unimplemented. */
export function checkSpec(spec: VmSpec, host: HostInfo | undefined): void {
  const { domainType: type, boot, vcpus, memory } = spec;
  const cannot = (what: string) => xenopsErrors.make('Unimplemented', { function: what, backend: 'xen' });
  if (type === 'hvm') {
    checkMachine(spec, host);
    return;
  }
  if (type === 'pv' && host && !host.pv) throw cannot('a PV guest on a hypervisor that was built without them');
  if (type === 'pvh' && host && !host.hvm) throw cannot('a PVH guest on processors without virtualisation');
  if (boot.kind === 'bootloader') throw cannot(`booting through a boot loader (${boot.bootloader})`);
  if (boot.kind !== 'kernel') throw bad('boot', `a ${type} guest has no firmware for ${boot.kind}: it needs a kernel`);
  if (vcpus.max > mostVcpus[type]) throw bad('vcpus.max', `${vcpus.max} is more than ${mostVcpus[type]}`);
  if (memory.dynamicMin < 16 * mib) throw bad('memory.dynamicMin', `${memory.dynamicMin} is less than 16 MiB`);
  for (const vbd of spec.vbds) if (vbd.type === 'Floppy') throw cannot(`a floppy drive (${vbd.id})`);
  scheduleOf(spec);
}

/** The program that sets up an HVM machine, its BIOS, and the emulator of its devices. */
export const machineFiles = {
  loader: '/usr/lib/xen-4.17/boot/hvmloader',
  bios: '/usr/share/seabios/bios-256k.bin',
} as const;

function checkMachine(spec: VmSpec, host: HostInfo | undefined): void {
  const { boot, memory, vbds } = spec;
  const cannot = (what: string) => xenopsErrors.make('Unimplemented', { function: what, backend: 'xen' });
  if (host && !host.hvm) throw cannot('an HVM guest on processors without virtualisation');
  if (boot.kind !== 'bios') throw cannot(`an HVM guest that boots by ${boot.kind}`);
  if (memory.dynamicMax !== memory.staticMax)
    throw bad('memory.dynamicMax', `an HVM guest here has all its memory: ${memory.staticMax}`);
  screenOf(spec);
  const late = vbds.find((d) => d.position > 3);
  if (late) throw bad(`vbd.${late.id}.position`, `an HVM machine here has four drives, 0 to 3, not ${late.position}`);
}

export interface Schedule {
  /** Against other domains; 256 is usual. */
  readonly weight: number;
  /** Percent of one processor; 0: no limit. */
  readonly cap: number;
  /** Processors that its CPUs may run on; undefined: all. */
  readonly mask?: readonly number[];
}
/** From `platform`: `weight`, `cap`, `mask` (`0,2-3`). Bad_spec. */
export function scheduleOf({ platform }: VmSpec): Schedule | undefined {
  const number = (key: string, usual: number, least: number, most: number) => {
    const text = platform[key];
    if (text === undefined || text === '') return usual;
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most)
      throw bad(`platform.${key}`, `${text} is not a number between ${least} and ${most}`);
    return value;
  };
  const weight = number('weight', 256, 1, 65_535);
  const cap = number('cap', 0, 0, 65_535);
  const mask = platform['mask'] ? maskOf(platform['mask']) : undefined;
  if (weight === 256 && cap === 0 && !mask) return undefined;
  return { weight, cap, ...(mask ? { mask } : {}) };
}
function maskOf(text: string): number[] {
  return text.split(',').flatMap((part) => {
    const [, from, to] = /^\s*(\d{1,4})(?:-(\d{1,4}))?\s*$/.exec(part) ?? [];
    const [first, last] = [Number(from), Number(to ?? from)];
    if (from === undefined || first > last) throw bad('platform.mask', `"${part}" is no processor or range of them`);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
