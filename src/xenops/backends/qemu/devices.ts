/** Drives and interfaces as QEMU's block nodes, network ends and devices: the same values at power-on and at hot-plug. */

import type { Machine, MachineType } from './machine.ts';
import type { Json } from './qmp.ts';
import type { Drive, Nic } from './record.ts';

/** Where the device of a slot is plugged in. */
export function place(type: MachineType, slot: number): Json {
  if (type === 'pc') return { bus: 'pci.0', addr: `0x${(6 + slot).toString(16)}` };
  if (type === 'q35') return { bus: `port${slot}` };
  return {};
}
/** The connector of an IDE (pc: two channels of two) or SATA (q35: six of one) controller. */
function connector(type: MachineType, n: number): Json {
  return type === 'pc' ? { bus: `ide.${n >> 1}`, unit: n & 1 } : { bus: `ide.${n}` };
}
export const nodeOf = (device: string): string => `${device}-node`;

/** Node names have at most 31 characters. */
export const layerNodeOf = (to: string): string => `l${to.replaceAll('-', '').slice(0, 30)}`;
/** The node that what is written to the drive ends up in. */
export const topNodeOf = ({ device, layers }: Drive): string => layers?.at(-1) ?? `${device}-disk`;
/** A new, empty layer, before it lies on anything. */
export function layerNode(name: string, filename: string): Json {
  const file = { driver: 'file', filename, locking: 'on', discard: 'unmap' };
  return { driver: 'qcow2', 'node-name': name, 'read-only': false, discard: 'unmap', backing: null, file };
}

/**
 * The block node of a drive with a disk, for `-blockdev` and `blockdev-add`: what the device holds is a `raw` node on top of
 * the disk, whose inside can be exchanged when the disk is taken away by force.
 */
export function blockNode(drive: Drive): Json | undefined {
  const { disk } = drive;
  if (drive.cut) return { driver: 'raw', 'node-name': nodeOf(drive.device), file: nothing(drive.device) };
  if (!disk) return undefined;
  const readOnly = disk.readOnly || drive.spec.mode === 'RO' || drive.spec.type === 'CD';
  const access = { 'read-only': readOnly, ...(readOnly ? {} : { discard: 'unmap' }) };
  const name = { 'node-name': topNodeOf(drive) };
  const file = { driver: drive.block ? 'host_device' : 'file', filename: disk.path, locking: 'on' };
  // Below a format the file is as writable as that is now: not at all, once the guest has gone over to a layer on it.
  const below = readOnly ? file : { ...file, discard: 'unmap' };
  return {
    driver: 'raw',
    'node-name': nodeOf(drive.device),
    ...access,
    ...(readOnly ? {} : { 'detect-zeroes': 'unmap' }),
    file:
      disk.format === 'raw'
        ? { ...file, ...name, ...access }
        : { driver: disk.format, ...name, ...access, file: below },
  };
}
/** A disk that answers every request with an input/output error. */
function nothing(device: string): Json {
  return {
    driver: 'blkdebug',
    'node-name': `${device}-gone`,
    image: { driver: 'null-co' },
    'inject-error': [{ event: 'none', once: false }],
  };
}
/** Exchanges the inside of a drive for `nothing`: `blockdev-add`, then `blockdev-reopen`, which closes the disk. */
export function cutNode(drive: Drive): { readonly add: Json; readonly reopen: Json } {
  const add = nothing(drive.device);
  return { add, reopen: { driver: 'raw', 'node-name': nodeOf(drive.device), file: add['node-name'] } };
}
/** The SCSI controller that a CD drive brings along when it is plugged into a running guest: IDE and SATA cannot do that. */
export function controllerDevice(machine: Machine, drive: Drive): Json | undefined {
  if (drive.spec.type !== 'CD' || drive.slot < 0) return undefined;
  return {
    driver: 'virtio-scsi-pci',
    id: controllerOf(drive.device),
    num_queues: 1,
    ...place(machine.type, drive.slot),
  };
}
export const controllerOf = (device: string): string => `${device}-scsi`;
export function driveDevice(machine: Machine, drive: Drive, bootindex?: number): Json {
  const common = {
    id: drive.device,
    ...(drive.disk || drive.cut ? { drive: nodeOf(drive.device) } : {}),
    ...(bootindex === undefined ? {} : { bootindex }),
  };
  if (drive.connector >= 0)
    return {
      driver: drive.spec.type === 'CD' ? 'ide-cd' : 'ide-hd',
      ...common,
      ...connector(machine.type, drive.connector),
    };
  if (drive.spec.type === 'CD') return { driver: 'scsi-cd', ...common, bus: `${controllerOf(drive.device)}.0` };
  const driver = machine.type === 'microvm' ? 'virtio-blk-device' : 'virtio-blk-pci';
  return { driver, ...common, 'num-queues': machine.diskQueues, ...place(machine.type, drive.slot) };
}

/** The host's end of an interface, for `netdev_add`. */
export function netdev(nic: Nic): Json {
  const id = `${nic.device}-net`;
  if (nic.cut) return { type: 'hubport', id, hubid: 0 };
  if (nic.port.kind === 'tap') return { type: 'tap', id, ifname: nic.port.ifname, script: 'no', downscript: 'no' };
  const hostfwd = nic.port.forwards.map((f) => ({
    str: `${f.protocol}:${f.hostAddress}:${f.hostPort}-:${f.guestPort}`,
  }));
  const { hostname } = nic.port;
  return {
    type: 'user',
    id,
    ...(hostname === undefined ? {} : { hostname }),
    ...(hostfwd.length > 0 ? { hostfwd } : {}),
  };
}
export function nicDevice(machine: Machine, nic: Nic, bootindex?: number): Json {
  const models = { virtio: machine.type === 'microvm' ? 'virtio-net-device' : 'virtio-net-pci' } as const;
  const driver = machine.nicModel === 'virtio' ? models.virtio : machine.nicModel;
  return {
    driver,
    id: nic.device,
    netdev: `${nic.device}-net`,
    mac: nic.spec.mac,
    // Without network boot its option ROM would only cost time.
    ...(bootindex === undefined ? (machine.type === 'microvm' ? {} : { romfile: '' }) : { bootindex }),
    ...(machine.nicModel === 'virtio' && nic.spec.mtu ? { host_mtu: nic.spec.mtu } : {}),
    ...place(machine.type, nic.slot),
  };
}
