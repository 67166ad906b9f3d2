/** Devices of the host that a VM is given: `other_config:pci`, as the field writes it, and its VUSBs. Pure. */
import { pciAddress } from '../../contracts/devices.ts';
import type { VmSpec } from '../../contracts/xenops.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { Reader } from '../../db/db.ts';

/** `0/0000:03:00.0,1/0000:04:00.0`: numbers by which the guest sees them in their order, and their addresses. */
export function pciDevices({ other_config }: Pick<Rec<'VM'>, 'other_config'>): Pick<VmSpec, 'pcis'> {
  const value = other_config['pci'] ?? '';
  if (value.trim() === '') return {};
  const parts = value.split(',').map((part) => /^\s*(\d{1,3})\/(\S+?)\s*$/.exec(part.toLowerCase()));
  const given = parts.map((found) => ({ order: Number(found?.[1]), address: found?.[2] ?? '' }));
  if (
    !given.every(({ address }) => pciAddress.test(address)) ||
    new Set(given.map((g) => g.address)).size < given.length
  ) {
    const reason = 'It is a list of numbers and addresses, each address once: 0/0000:03:00.0,1/0000:04:00.0';
    throw fail('VALUE_NOT_SUPPORTED', { field: 'other_config:pci', value, reason });
  }
  return { pcis: given.sort((a, b) => a.order - b.order).map(({ address }) => address) };
}
/** Of each VUSB the first device of its group that may be given away. VM_REQUIRES_VUSB. */
export function usbDevices(db: Reader, vm: Rec<'VM'>, ref: string): Pick<VmSpec, 'usbs'> {
  if (vm.VUSBs.length === 0) return {};
  const usbs = vm.VUSBs.map((r) => {
    const { uuid: id, USB_group: group } = db.get('VUSB', r);
    const devices = (db.find('USB_group', group)?.PUSBs ?? []).map((p) => db.get('PUSB', p));
    const found = devices.find((d) => d.passthrough_enabled);
    if (!found) throw fail('VM_REQUIRES_VUSB', { vm: ref, USB_group: group });
    return { id, path: found.path };
  });
  return { usbs };
}
