/** Why a guest cannot have a device of the host, as this host and its ground are: said when such a VM is started. */
import { existsSync, readdirSync } from 'node:fs';
import { DoorError, unimplemented } from './errors.ts';

/** What is in a folder of the kernel's; tests have their own. */
export type Look = (folder: string) => readonly string[];
const look: Look = (folder) => (existsSync(folder) ? readdirSync(folder) : []);
const version = 'this version hands none to guests';

/** The kernel has divided the host's devices into groups that can be handed out. */
export const hasIommu = (see: Look = look): boolean => see('/sys/kernel/iommu_groups').length > 0;

/** `backend`: `xen`, `qemu`, `simulator`. */
export function noPci(backend: string, see: Look = look): DoorError {
  if (backend === 'xen' && !see('/sys/bus/pci/drivers').includes('pciback')) return new DoorError('PCIBack_not_loaded');
  if (backend === 'qemu' && !hasIommu(see))
    return unimplemented(
      'PCI_plug (this host has no IOMMU in use: switch it on in its firmware, and for its kernel with intel_iommu=on or amd_iommu=on)',
    );
  return unimplemented(`PCI_plug (${backend === 'simulator' ? 'a simulated host has no PCI devices' : version})`);
}
export function noUsb(backend: string, see: Look = look): DoorError {
  if (backend === 'simulator') return unimplemented('VUSB_plug (a simulated host has no USB devices)');
  const devices = see('/sys/bus/usb/devices').filter((name) => /^\d+-[\d.]+$/.test(name));
  return unimplemented(`VUSB_plug (${devices.length === 0 ? 'this host has no USB devices' : version})`);
}
export function noGpu(backend: string, see: Look = look): DoorError {
  if (backend === 'simulator') return unimplemented('VGPU_start (a simulated host has no graphics processors)');
  const cards = see('/sys/class/mdev_bus');
  return unimplemented(
    `VGPU_start (${cards.length === 0 ? 'no driver of this host offers virtual graphics processors: /sys/class/mdev_bus is empty' : version})`,
  );
}
