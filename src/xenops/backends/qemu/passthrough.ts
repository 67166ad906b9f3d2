/**
 * Devices of the host for guests, by the kernel's own account of them below /sys: PCI devices go through VFIO, which needs an IOMMU
 * and a whole group of devices without drivers of the host; USB devices through their device files.
 */
import { access, readdir, readFile, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { HostDevices, PciDevice, UsbDevice } from '../../../contracts/devices.ts';
import { pciAddress, usbPath } from '../../../contracts/devices.ts';

const text = (path: string): Promise<string> =>
  readFile(path, 'utf8').then(
    (found) => found.trim(),
    () => '',
  );
const names = (folder: string): Promise<string[]> =>
  readdir(folder).then(
    (found) => found.sort(),
    () => [],
  );
const target = (path: string): Promise<string> =>
  readlink(path).then(
    (found) => basename(found),
    () => '',
  );
const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

export const usbNode = (bus: number, device: number): string =>
  `/dev/bus/usb/${String(bus).padStart(3, '0')}/${String(device).padStart(3, '0')}`;

/** `root`: another machine's file system, for tests. */
export async function readDevices(root = ''): Promise<HostDevices> {
  const pciFolder = join(root, '/sys/bus/pci/devices');
  const usbFolder = join(root, '/sys/bus/usb/devices');
  const pci = (await names(pciFolder)).filter((name) => pciAddress.test(name));
  const usb = (await names(usbFolder)).filter((name) => usbPath.test(name));
  const groups = await names(join(root, '/sys/kernel/iommu_groups'));
  const noPci =
    pci.length === 0
      ? 'this machine has no PCI devices'
      : groups.length === 0
        ? 'this machine has no IOMMU, or its kernel does not use it: intel_iommu=on or amd_iommu=on on its command line, and its firmware, turn it on'
        : null;
  const devices = await Promise.all(pci.map((address) => pciDevice(root, address)));
  return {
    pci: devices.map((device) => ({ ...device, problem: noPci ?? device.problem })),
    usb: await Promise.all(usb.map((path) => usbDevice(root, path))),
    noPci,
    noUsb: usb.length > 0 ? null : `this machine has no USB devices (${usbFolder} holds none)`,
  };
}
async function pciDevice(root: string, address: string): Promise<PciDevice> {
  const at = join(root, '/sys/bus/pci/devices', address);
  const hex = async (name: string) => (await text(join(at, name))).replace(/^0x/, '');
  const driver = await target(join(at, 'driver'));
  return {
    address,
    class: await hex('class'),
    vendor: await hex('vendor'),
    device: await hex('device'),
    subsystemVendor: await hex('subsystem_vendor'),
    subsystemDevice: await hex('subsystem_device'),
    driver,
    problem: await pciProblem(root, address, driver),
  };
}
async function pciProblem(root: string, address: string, driver: string): Promise<string | null> {
  const bind = (it: string) => `driverctl set-override ${it} vfio-pci`;
  if (driver !== 'vfio-pci')
    return `its driver is ${driver === '' ? 'missing' : driver}; it must be vfio-pci ("${bind(address)}", from the package driverctl)`;
  const group = await target(join(root, '/sys/bus/pci/devices', address, 'iommu_group'));
  if (group === '') return 'it is in no IOMMU group';
  for (const other of await names(join(root, '/sys/kernel/iommu_groups', group, 'devices'))) {
    const its = await target(join(root, '/sys/bus/pci/devices', other, 'driver'));
    // Bridges between them may stay the host's.
    if (!['', 'vfio-pci', 'pcieport'].includes(its))
      return `${other} is in its IOMMU group ${group} and has the driver ${its}: the group goes as a whole ("${bind(other)}")`;
  }
  return (await exists(join(root, '/dev/vfio', group))) ? null : `/dev/vfio/${group} is missing: modprobe vfio-pci`;
}
async function usbDevice(root: string, path: string): Promise<UsbDevice> {
  const at = join(root, '/sys/bus/usb/devices', path);
  const [busnum, devnum] = [Number(await text(join(at, 'busnum'))), Number(await text(join(at, 'devnum')))];
  const hub = (await text(join(at, 'bDeviceClass'))) === '09';
  const node = usbNode(busnum, devnum);
  return {
    path,
    vendor: await text(join(at, 'idVendor')),
    product: await text(join(at, 'idProduct')),
    vendorName: (await text(join(at, 'manufacturer'))).slice(0, 200),
    productName: (await text(join(at, 'product'))).slice(0, 200),
    serial: (await text(join(at, 'serial'))).slice(0, 200),
    version: await text(join(at, 'version')),
    speed: Number(await text(join(at, 'speed'))) || -1,
    problem: hub ? 'it is a hub' : (await exists(join(root, node))) ? null : `${node} is missing`,
  };
}

/** Why these devices cannot be given to a guest; undefined when they can. */
export async function passthroughProblem(
  wanted: { readonly pcis: readonly string[]; readonly usbs: readonly string[] },
  root = '',
): Promise<{ readonly key: 'pcis' | 'usbs'; readonly value: string; readonly reason: string } | undefined> {
  if (wanted.pcis.length + wanted.usbs.length === 0) return undefined;
  const there = await readDevices(root);
  for (const value of wanted.pcis) {
    const found = there.pci.find((d) => d.address === value);
    const reason =
      there.noPci ?? (found ? found.problem : `there is no such device; ${listed(there.pci.map((d) => d.address))}`);
    if (reason !== null) return { key: 'pcis', value, reason };
  }
  for (const value of wanted.usbs) {
    const found = there.usb.find((d) => d.path === value);
    const reason =
      there.noUsb ?? (found ? found.problem : `nothing is plugged in there; ${listed(there.usb.map((d) => d.path))}`);
    if (reason !== null) return { key: 'usbs', value, reason };
  }
  return undefined;
}
const listed = (all: readonly string[]): string =>
  `there are ${all.slice(0, 12).join(', ')}${all.length > 12 ? ', …' : ''}`;

/** Files of the host that the guest's QEMU opens for them. */
export async function deviceFiles(wanted: {
  readonly pcis: readonly string[];
  readonly usbs: readonly string[];
}): Promise<string[]> {
  const groups = await Promise.all(
    wanted.pcis.map(
      async (address) => `/dev/vfio/${await target(join('/sys/bus/pci/devices', address, 'iommu_group'))}`,
    ),
  );
  const nodes = await Promise.all(
    wanted.usbs.map(async (path) => {
      const at = join('/sys/bus/usb/devices', path);
      return usbNode(Number(await text(join(at, 'busnum'))), Number(await text(join(at, 'devnum'))));
    }),
  );
  return [...new Set([...groups, ...nodes])];
}
