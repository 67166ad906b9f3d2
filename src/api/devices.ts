/** Records of the host's PCI and USB devices, as the domain manager sees them. */
import type { HostDevices, UsbDevice } from '../contracts/devices.ts';
import type { Xenops } from '../contracts/xenops.ts';
import type { Ref } from '../datamodel/dsl.ts';
import type { Db, Writer } from '../db/db.ts';

/** Makes, changes and removes records, so that they are as what is there; those that stay keep their references. */
export async function syncDevices(db: Db, xenops: Xenops, host: Ref<'host'>): Promise<HostDevices> {
  const found = await xenops.host.devices({});
  db.write((w) => {
    syncPci(db, w, host, found);
    syncUsb(db, w, host, found);
  });
  return found;
}
function syncPci(db: Db, w: Writer, host: Ref<'host'>, { pci }: HostDevices): void {
  const there = new Map([...db.rows('PCI')].filter(([, d]) => d.host === host).map(([ref, d]) => [d.pci_id, ref]));
  for (const device of pci) {
    const fields = {
      class_id: device.class,
      vendor_id: device.vendor,
      device_id: device.device,
      subsystem_vendor_id: device.subsystemVendor,
      subsystem_device_id: device.subsystemDevice,
      driver_name: device.driver,
    };
    const known = there.get(device.address);
    there.delete(device.address);
    if (known) w.set('PCI', known, fields);
    else w.create('PCI', { ...fields, host, pci_id: device.address });
  }
  for (const gone of there.values()) w.destroy('PCI', gone);
}
/** A device that is new has a group of its own. One that is gone stays while a VM has its group. */
function syncUsb(db: Db, w: Writer, host: Ref<'host'>, { usb }: HostDevices): void {
  const there = new Map([...db.rows('PUSB')].filter(([, d]) => d.host === host).map(([ref, d]) => [identity(d), ref]));
  for (const device of usb.filter((d) => d.problem === null)) {
    const fields = usbFields(device);
    const known = there.get(identity(fields));
    there.delete(identity(fields));
    if (known) {
      w.set('PUSB', known, fields);
      continue;
    }
    const group = w.create('USB_group', { name_label: `Group of ${device.vendor} ${device.product} USBs` });
    w.create('PUSB', { ...fields, host, USB_group: group, passthrough_enabled: false });
  }
  for (const gone of there.values()) {
    const { USB_group: group } = db.get('PUSB', gone);
    if ((db.find('USB_group', group)?.VUSBs.length ?? 0) > 0) continue;
    w.destroy('PUSB', gone);
    if (db.find('USB_group', group)?.PUSBs.length === 0) w.destroy('USB_group', group);
  }
}
const identity = (d: { path: string; vendor_id: string; product_id: string; serial: string }): string =>
  [d.path, d.vendor_id, d.product_id, d.serial].join('\0');
function usbFields(device: UsbDevice) {
  return {
    path: device.path,
    vendor_id: device.vendor,
    vendor_desc: device.vendorName,
    product_id: device.product,
    product_desc: device.productName,
    serial: device.serial,
    version: device.version,
    description: [device.vendorName, device.productName].filter(Boolean).join(' '),
    speed: device.speed,
  };
}
