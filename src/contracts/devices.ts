/** Devices of the host that a guest may be given: what there is, and why one cannot be given now. */
import { type Shape, s } from './schema.ts';

/** Numbers are in hexadecimal, without `0x`. */
const pciDevice = s.object({
  /** `0000:03:00.0` */
  address: s.string,
  class: s.string,
  vendor: s.string,
  device: s.string,
  subsystemVendor: s.string,
  subsystemDevice: s.string,
  /** The host's, '' for none. */
  driver: s.string,
  /** Null: it can be given. */
  problem: s.nullable(s.string),
});
const usbDevice = s.object({
  /** Where it is plugged in: the bus, and ports from there on: `1-1.2`. */
  path: s.string,
  vendor: s.string,
  product: s.string,
  vendorName: s.string,
  productName: s.string,
  serial: s.string,
  /** Of USB: `2.00`. */
  version: s.string,
  /** Mbit/s. */
  speed: s.number,
  problem: s.nullable(s.string),
});
export const hostDevices = s.object({
  pci: s.list(pciDevice),
  usb: s.list(usbDevice),
  /** Why none at all can be given; null when some could. */
  noPci: s.nullable(s.string),
  noUsb: s.nullable(s.string),
});
export type HostDevices = Shape<typeof hostDevices>;
export type PciDevice = Shape<typeof pciDevice>;
export type UsbDevice = Shape<typeof usbDevice>;

export const pciAddress = /^[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/;
export const usbPath = /^[1-9]\d{0,2}-[1-9]\d{0,2}(\.[1-9]\d{0,2}){0,6}$/;
