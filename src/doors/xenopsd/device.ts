/** The interface's drives and interfaces as descriptions, and back. A device is named there by its VM and a name of its own. */
import { createHash, randomBytes } from 'node:crypto';
import type { Content, Media, VbdSpec, VifSpec, VmEntry, VmSpec } from '../../contracts/xenops.ts';
import { deviceName, parseDeviceNumber, type XlBus } from '../../wire/xl-device-number.ts';
import { DoorError, missing, unimplemented } from './errors.ts';
import { type DeviceNumber, type Disk, type Vbd, type VbdState, type Vif, type VifState, vbdT, vifT } from './types.ts';

export const nameNote = 'name';
const recordNote = 'xenopsd';
type Device = VbdSpec | VifSpec;

/** The same UUID for the same device, always: other doors show a device by it. */
export function deviceUuid(kind: 'vbd' | 'vif', vm: string, name: string): string {
  const hex = createHash('sha1').update(`${kind} ${vm} ${name}`).digest('hex');
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(18, 20)}-${hex.slice(20, 32)}`;
}
/** What the device is called at this door. */
export function nameOf(kind: 'vbd' | 'vif', device: Device): string {
  const plain =
    kind === 'vbd' ? deviceName({ bus: 'xvd', disk: device.position, partition: 0 }) : String(device.position);
  return device.notes?.[nameNote] ?? plain;
}
/** By name; a drive also by another name of its number (`hda` and `xvda` are the first). Does_not_exist. */
export function findVbd(spec: VmSpec, name: string): VbdSpec {
  const disk = parseDeviceNumber(name)?.disk;
  const found = spec.vbds.find((d) => nameOf('vbd', d) === name) ?? spec.vbds.find((d) => d.position === disk);
  if (!found) throw missing('VBD', `${spec.id}.${name}`);
  return found;
}
/** Does_not_exist. */
export function findVif(spec: VmSpec, name: string): VifSpec {
  const found = spec.vifs.find((d) => nameOf('vif', d) === name);
  if (!found) throw missing('VIF', `${spec.id}.${name}`);
  return found;
}
function noted(device: Device): unknown {
  const note = device.notes?.[recordNote];
  return note === undefined ? undefined : JSON.parse(note);
}

export function mediaOf(disk: Disk, format: string | undefined): Media {
  const [kind, where] = disk;
  if (kind === 'Local') return { kind: 'path', path: where, format: format === 'qcow2' ? 'qcow2' : 'raw' };
  const [sr = '', vdi = '', ...rest] = where.split('/');
  if (sr === '' || vdi === '' || rest.length > 0)
    throw new DoorError(['Storage_backend_error', ['SR_BACKEND_FAILURE', [`"${where}" is not SR/VDI`]]]);
  return { kind: 'vdi', sr, vdi };
}
/** A volume of files has no name here. */
export const diskOf = (media: Content | null): Disk | null =>
  media === null || media.kind === 'files'
    ? null
    : media.kind === 'path'
      ? ['Local', media.path]
      : ['VDI', `${media.sr}/${media.vdi}`];

const types = { CDROM: 'CD', Disk: 'Disk', Floppy: 'Floppy' } as const;
const typesBack = { CD: 'CDROM', Disk: 'Disk', Floppy: 'Floppy' } as const;
const buses = { Xen: 'xvd', Scsi: 'sd', Floppy: 'fd', Ide: 'hd' } as const;
const busNames: Readonly<Record<XlBus, DeviceNumber[0]>> = {
  xvd: 'Xen',
  d: 'Xen',
  sd: 'Scsi',
  fd: 'Floppy',
  hd: 'Ide',
};
export function deviceNumber(name: string): DeviceNumber | null {
  const found = parseDeviceNumber(name);
  return found ? [busNames[found.bus], found.disk, found.partition] : null;
}
export const numberName = ([bus, disk, partition]: DeviceNumber): string =>
  deviceName({ bus: buses[bus], disk, partition });

/** The description of a drive that is added to a VM, or replaced. */
export function vbdSpecOf(vbd: Vbd, vm: VmSpec): VbdSpec {
  const [, name] = vbd.id;
  const id = vm.vbds.find((d) => nameOf('vbd', d) === name)?.id ?? deviceUuid('vbd', vm.id, name);
  const number = vbd.position ?? deviceNumber(name);
  return {
    id,
    position: number ? number[1] : firstFree(vm.vbds.filter((d) => d.id !== id)),
    type: types[vbd.ty],
    mode: vbd.mode === 'ReadOnly' ? 'RO' : 'RW',
    media: vbd.backend && mediaOf(vbd.backend, vbd.extra_private_keys['format']),
    unpluggable: vbd.unpluggable,
    notes: { [nameNote]: name, [recordNote]: JSON.stringify(vbdT.encode({ ...vbd, position: number })) },
  };
}
export function vbdOf(vm: string, spec: VbdSpec): Vbd {
  const name = nameOf('vbd', spec);
  const base = vbdT.decode(noted(spec) ?? {}, 'the note of the drive');
  const position = base.position?.[1] === spec.position ? base.position : (['Xen', spec.position, 0] as const);
  const format: Record<string, string> =
    spec.media?.kind === 'path' && spec.media.format !== 'raw' ? { format: spec.media.format } : {};
  return {
    ...base,
    id: [vm, name],
    position,
    mode: spec.mode === 'RO' ? 'ReadOnly' : 'ReadWrite',
    ty: typesBack[spec.type],
    backend: diskOf(spec.media),
    unpluggable: spec.unpluggable ?? true,
    extra_private_keys: { ...base.extra_private_keys, ...format },
  };
}
export function vbdStateOf({ state }: VmEntry, { id, media }: VbdSpec): VbdState {
  const found = state.vbds[id];
  const plugged = found?.plugged ?? false;
  return {
    active: plugged,
    plugged,
    qos_target: null,
    backend_present: plugged ? diskOf(found?.media ?? media) : null,
  };
}

/** The description of an interface that is added to a VM, or replaced. */
export function vifSpecOf(vif: Vif, vm: VmSpec): VifSpec {
  const [, name] = vif.id;
  const id = vm.vifs.find((d) => nameOf('vif', d) === name)?.id ?? deviceUuid('vif', vm.id, name);
  refuseLimits(vif);
  const lock = lockOf(vif.locking_mode);
  const mac = macOf(vif, vm.id);
  const rate = vif.rate;
  return {
    id,
    position: vif.position,
    mac,
    mtu: vif.mtu,
    bridge: bridgeOf(vif.backend),
    carrier: vif.carrier,
    ...(rate ? { rateKib: vifRate(rate) } : {}),
    ...(lock ? { lock } : {}),
    notes: { [nameNote]: name, [recordNote]: JSON.stringify(vifT.encode({ ...vif, mac })) },
  };
}
export function lockOf(mode: Vif['locking_mode']): VifSpec['lock'] | undefined {
  if (mode === 'Unlocked') return undefined;
  if (mode === 'Disabled') return { mode: 'disabled', ipv4: [], ipv6: [] };
  return { mode: 'locked', ipv4: mode[1].ipv4, ipv6: mode[1].ipv6 };
}
export const noAgent = "(the guest's agent would have to set it, and none is spoken to)";
export const noProxy = '(there is no PVS proxy on this host)';
export const noVlan = "(bridges of this host carry tags as they come; give the network a bridge of the VLAN's own)";
/** Nothing on this host would keep a guest to them: promising them is worse than refusing. */
function refuseLimits(vif: Vif): void {
  if (vif.ipv4_configuration !== 'Unspecified4') throw unimplemented(`VIF.set_ipv4_configuration ${noAgent}`);
  if (vif.ipv6_configuration !== 'Unspecified6') throw unimplemented(`VIF.set_ipv6_configuration ${noAgent}`);
  if (vif.pvs_proxy !== null) throw unimplemented(`VIF.set_pvs_proxy ${noProxy}`);
  if (vif.vlan !== null || vif.trunks.length > 0) throw unimplemented(`VIF.set_trunks ${noVlan}`);
}
export function bridgeOf(network: Vif['backend']): string {
  if (network[0] === 'Local') return network[1];
  throw unimplemented(network[0] === 'Remote' ? 'a network of another domain' : 'a virtual function of a network card');
}
export function vifOf(vm: string, spec: VifSpec): Vif {
  const base = vifT.decode(noted(spec) ?? {}, 'the note of the interface');
  const { lock } = spec;
  const kept = base.rate && vifRate(base.rate) === spec.rateKib;
  return {
    ...base,
    id: [vm, nameOf('vif', spec)],
    position: spec.position,
    mac: spec.mac,
    carrier: spec.carrier ?? true,
    mtu: spec.mtu ?? 1500,
    locking_mode: !lock
      ? 'Unlocked'
      : lock.mode === 'disabled'
        ? 'Disabled'
        : ['Locked', { ipv4: lock.ipv4, ipv6: lock.ipv6 }],
    rate: kept ? base.rate : spec.rateKib ? [Math.floor((spec.rateKib * 1024) / 20), 50_000] : null,
    backend: ['Local', spec.bridge],
  };
}
const vifRate = (rate: readonly [number, number]): number =>
  Math.max(1, Math.ceil((rate[0] * 1e6) / Math.max(1, rate[1]) / 1024));
export function vifStateOf({ state }: VmEntry, { id, carrier = true }: VifSpec): VifState {
  const plugged = state.vifs[id]?.plugged ?? false;
  return {
    active: plugged,
    plugged,
    kthread_pid: 0,
    media_present: plugged && carrier,
    device: null,
    pvs_rules_active: false,
  };
}

/** `random` is a random local address; none is one that follows from the VM and the position. */
export function macOf({ mac, position }: Pick<Vif, 'mac' | 'position'>, vm: string): string {
  if (mac === 'random') return `02:${[...randomBytes(5)].map(hexByte).join(':')}`;
  if (mac !== '') return mac.toLowerCase();
  const md5 = (data: string | Buffer) => createHash('md5').update(data).digest();
  let digest: string | Buffer = vm;
  for (let i = 0; i < 2 * position + 1; i++) digest = md5(digest);
  const bytes = [...Buffer.from(digest).subarray(0, 4), ...md5(digest).subarray(1, 3)];
  const first = ((bytes[0] ?? 0) & 0xfe) | 0x02;
  bytes[0] = first === 0xfe ? 0xfd : first;
  return bytes.map(hexByte).join(':');
}
const hexByte = (byte: number): string => byte.toString(16).padStart(2, '0');
function firstFree(devices: readonly Device[]): number {
  const taken = new Set(devices.map(({ position }) => position));
  let position = 0;
  while (taken.has(position)) position++;
  return position;
}
