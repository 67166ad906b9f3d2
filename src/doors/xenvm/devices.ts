/** Drives and interfaces of xenvm's configuration as the domain manager's, and what is not possible here. */
import { createHash, randomUUID } from 'node:crypto';
import type { VbdSpec, VifSpec } from '../../contracts/xenops.ts';
import { parseXenvmDisk, parseXenvmNic, type XenvmDisk, type XenvmNic } from '../../wire/xenvm-devices.ts';
import { Mistake } from '../../wire/xenvm-syntax.ts';
import { deviceUuid, nameNote } from '../xenopsd/device.ts';

/** Throws Mistake, also for what the domain manager cannot do: a disk is never attached in another way than was asked for. */
export function vbdOf(vm: string, value: string): VbdSpec {
  const disk = parseXenvmDisk(value);
  refuseDisk(disk, value);
  return {
    id: deviceUuid('vbd', vm, disk.device),
    position: disk.number.disk,
    type: disk.cdrom ? 'CD' : 'Disk',
    mode: disk.write && !disk.cdrom ? 'RW' : 'RO',
    media: disk.path === '' ? null : { kind: 'path', path: disk.path, format: disk.kind === 'qcow' ? 'qcow2' : 'raw' },
    notes: { [nameNote]: disk.device },
  };
}
function refuseDisk(disk: XenvmDisk, value: string): void {
  const at = (text: string) => Math.max(0, value.indexOf(text));
  if (disk.kind === 'vhd')
    throw new Mistake(
      at(':vhd') + 1,
      'VHD images cannot be attached here; convert it: qemu-img convert -f vpc -O qcow2',
    );
  if (disk.kind === 'vdi')
    throw new Mistake(at(':vdi') + 1, 'the storage service of XenClient is not here; name a file or a device');
  if (disk.snapshot !== '')
    throw new Mistake(at(disk.snapshot), `"${disk.snapshot}": snapshots at start are not made here; take one with xe`);
  const backend = disk.options.get('backend-domid') ?? '0';
  if (backend !== '0') throw new Mistake(at('backend-domid'), 'disks of other domains cannot be attached here');
  const key = ['key-file', 'key-dir'].find((k) => disk.options.has(k));
  if (key !== undefined) throw new Mistake(at(key), 'encrypted images cannot be attached here');
}

/** Throws Mistake. `taken`: the numbers that others have. `bridge`: for an interface that names none. */
export function vifOf(vm: string, value: string, taken: ReadonlySet<number>, bridge: string): VifSpec {
  const nic = parseXenvmNic(value);
  const at = (text: string) => Math.max(0, value.indexOf(text));
  if (nic.network !== '' && nic.bridge === '')
    throw new Mistake(at('network'), 'networks are known by their bridges here: bridge=NAME');
  if (nic.backendDomid !== 0) throw new Mistake(at('backend-domid'), 'networks of other domains are not here');
  let position = nic.id;
  if (position < 0) for (position = 0; taken.has(position); ) position++;
  if (taken.has(position)) throw new Mistake(at('id='), `there is an interface ${position} already`);
  if (position > 31) throw new Mistake(0, 'there are 32 interfaces already');
  return {
    id: deviceUuid('vif', vm, String(position)),
    position,
    mac: ['', 'vm', 'random'].includes(nic.mac) ? generatedMac(vm, position, nic) : nic.mac,
    bridge: nic.bridge || bridge,
    notes: { [nameNote]: String(position) },
  };
}
/** The address that follows from the VM and the interface, as OpenXT's programs compute it; `random`: one of Xen's. */
export function generatedMac(vm: string, id: number, { model, mac }: Pick<XenvmNic, 'model' | 'mac'>): string {
  const words = mac === 'random' ? [randomUUID()] : [id, ...(model === '' ? [] : [model]), vm];
  const hex = createHash('md5').update(words.join(' ')).digest('hex');
  const bytes = [0, 2, 1, 7, 6, 4].map((i) => Number.parseInt(`${hex[i]}${hex[i + 12]}`, 16));
  if (mac === 'random') bytes.splice(0, 4, 0x00, 0x16, 0x3e, (bytes[3] ?? 0) & 0x7f);
  else bytes[0] = 0x02 | ((bytes[0] ?? 0) & 0xfe);
  return bytes.map((b) => b.toString(16).padStart(2, '0')).join(':');
}
