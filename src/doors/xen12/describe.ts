/** The settings of a Xen 1.2 domain as a VM's description. */
import { createHash } from 'node:crypto';
import type { VbdSpec, VifSpec, VmSpec } from '../../contracts/xenops.ts';
import { deviceUuid, nameNote } from '../xenopsd/device.ts';
import type { DiskSetting, DomainSettings } from './settings.ts';
import type { Media } from './virtual-disks.ts';

export interface DescribeOptions {
  /** A UUID for a new VM. */
  readonly id: string;
  /** What the ground can do: `pv`, `pvh`, `hvm`. */
  readonly capabilities: readonly string[];
  /** Where interfaces are plugged. */
  readonly bridge: string;
  readonly virtualDisk: (id: string) => Promise<Media>;
}
/** Marks VMs that came through this door, with the file that they were made from. */
export const note = 'xen12';

/** Image and ramdisk must be absolute paths; everything else is checked by the domain manager. */
export async function describeDomain(s: DomainSettings, o: DescribeOptions): Promise<VmSpec> {
  const onEnd = s.autoRestart ? 'restart' : 'destroy';
  return {
    ...describeBare({ ...o, name: s.name, bytes: s.memoryMib * 1024 * 1024 }),
    boot: kernelOf(s.image, s.ramdisk, commandLine(s)),
    onPoweroff: onEnd,
    onCrash: onEnd,
    vbds: await Promise.all(s.disks.map((disk, i) => drive(disk, i, o))),
    vifs: s.addresses.map((address, i) => interfaceAt(o, s.name, i, address)),
    notes: { [note]: 'xc_dom_create', 'xen12.addresses': s.addresses.join(' ') },
  };
}
/** A domain with memory and one processor, without devices, and with nothing to boot until it is told what. */
export function describeBare(o: {
  readonly id: string;
  readonly name: string;
  readonly bytes: number;
  readonly capabilities: readonly string[];
}): VmSpec {
  const domainType = o.capabilities.includes('pv') ? 'pv' : o.capabilities.includes('pvh') ? 'pvh' : 'hvm';
  return {
    id: o.id,
    name: o.name,
    domainType,
    boot: kernelOf('/dev/null', '', ''),
    memory: { staticMax: o.bytes, dynamicMax: o.bytes, dynamicMin: o.bytes },
    vcpus: { max: 1, current: 1 },
    ...{ onPoweroff: 'destroy', onReboot: 'restart', onCrash: 'destroy', vbds: [], vifs: [], platform: {} },
    ...{ autostart: false, order: 0, startDelayS: 0, shutdownDelayS: 0 },
  };
}
export const kernelOf = (kernel: string, ramdisk: string, cmdline: string): VmSpec['boot'] => ({
  ...{ kind: 'kernel', kernel, cmdline },
  ...(ramdisk === '' ? {} : { ramdisk }),
});
export const interfaceAt = (
  o: { readonly id: string; readonly bridge: string },
  name: string,
  position: number,
  address = '',
): VifSpec => ({
  id: deviceUuid('vif', o.id, String(position)),
  position,
  mac: macOf(name, address, position),
  bridge: o.bridge,
  notes: { [nameNote]: String(position) },
});
/** As the original puts it together: address, root, extra. */
export const commandLine = ({ cmdline: { ip, root, extra } }: DomainSettings): string => `${ip} ${root} ${extra}`;

async function drive({ uname, dev, mode }: DiskSetting, position: number, o: DescribeOptions): Promise<VbdSpec> {
  return driveAs(o.id, { dev, position, mode, media: await mediaOf(uname, o) });
}
/** A drive of the VM, named as the guest was told. */
export function driveAs(
  vm: string,
  a: { readonly dev: string; readonly position: number; readonly mode: string; readonly media: Media },
): VbdSpec {
  const { dev, position, media } = a;
  const mode = a.mode === 'r' ? 'RO' : 'RW';
  return { id: deviceUuid('vbd', vm, dev), position, type: 'Disk', mode, media, notes: { [nameNote]: dev } };
}
/** Throws a sentence when the name has no known form. */
export async function mediaOf(uname: string, o: Pick<DescribeOptions, 'virtualDisk'>): Promise<Media> {
  const at = (path: string) => ({ kind: 'path', path, format: 'raw' }) as const;
  const [, kind, rest = ''] = /^(phy|file|vd):(.+)$/s.exec(uname) ?? [];
  if (kind === 'vd') return o.virtualDisk(rest);
  if (kind === 'file') return at(rest);
  if (kind === 'phy') return at(rest.startsWith('/') ? rest : `/dev/${rest}`);
  throw new Error(`Invalid block device specification : ${uname} (phy:DEVICE, vd:ID or file:PATH is expected)`);
}
/** The same for the same domain at every start, so that its addresses stay known. */
function macOf(name: string, address: string, i: number): string {
  const digest = createHash('sha256').update(`${name}\0${address}\0${i}`).digest();
  return [0x00, 0x16, 0x3e, (digest[0] ?? 0) & 0x7f, digest[1] ?? 0, digest[2] ?? 0]
    .map((b) => b.toString(16).padStart(2, '0'))
    .join(':');
}
