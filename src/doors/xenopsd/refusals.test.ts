import assert from 'node:assert/strict';
import test from 'node:test';
import { type Look, noGpu, noPci, noUsb } from './refusals.ts';

const host =
  (folders: Readonly<Record<string, readonly string[]>>): Look =>
  (folder) =>
    folders[folder] ?? [];

test('a device that cannot be had is refused by what this host lacks', () => {
  const bare = host({});
  const rich = host({
    '/sys/kernel/iommu_groups': ['0'],
    '/sys/bus/pci/drivers': ['pciback'],
    '/sys/bus/usb/devices': ['usb1', '1-0:1.0', '1-1.2'],
    '/sys/class/mdev_bus': ['0000:00:02.0'],
  });
  assert.equal(noPci('xen', bare).variant, 'PCIBack_not_loaded');
  assert.match(noPci('xen', rich).message, /this version hands none/);
  assert.match(noPci('qemu', bare).message, /no IOMMU in use.*intel_iommu=on/);
  assert.match(noPci('qemu', rich).message, /this version hands none/);
  assert.match(noUsb('qemu', bare).message, /this host has no USB devices/);
  assert.match(noUsb('qemu', host({ '/sys/bus/usb/devices': ['usb1', '1-0:1.0'] })).message, /no USB devices/);
  assert.match(noUsb('xen', rich).message, /this version hands none/);
  assert.match(noGpu('qemu', bare).message, /mdev_bus is empty/);
  assert.match(noGpu('xen', rich).message, /this version hands none/);
  for (const refuse of [noPci, noUsb, noGpu])
    assert.match(refuse('simulator', rich).message, /a simulated host has no/);
});
