/** The devices of a host that is not there: one card and one stick that can be given to guests, and a card that cannot. */
import type { HostDevices } from '../../../contracts/devices.ts';
import { type VmSpec, xenopsErrors } from '../../../contracts/xenops.ts';

const card = { class: '020000', vendor: '8086', device: '10d3', subsystemVendor: '8086', subsystemDevice: 'a01f' };
export const simulatedDevices: HostDevices = {
  pci: [
    { ...card, address: '0000:03:00.0', driver: 'vfio-pci', problem: null },
    { ...card, address: '0000:04:00.0', driver: 'e1000e', problem: 'its driver is e1000e; it must be vfio-pci' },
  ],
  usb: [
    {
      ...{
        path: '1-1.2',
        vendor: '0781',
        product: '5581',
        vendorName: 'Simulated',
        productName: 'Stick',
        serial: '42',
      },
      ...{ version: '2.00', speed: 480, problem: null },
    },
  ],
  noPci: null,
  noUsb: null,
};
/** Bad_spec. */
export function checkDevices({ pcis = [], usbs = [] }: VmSpec): void {
  const refuse = (key: string, value: string, reason: string) => xenopsErrors.make('Bad_spec', { key, value, reason });
  for (const address of pcis) {
    const found = simulatedDevices.pci.find((d) => d.address === address);
    if (found?.problem !== null) throw refuse('pcis', address, found?.problem ?? 'there is no such device');
  }
  for (const { path } of usbs)
    if (!simulatedDevices.usb.some((d) => d.path === path)) throw refuse('usbs', path, 'nothing is plugged in there');
}
