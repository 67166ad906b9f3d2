/** XenAPI class `PCI`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const PCI = cls({
  name: 'PCI',
  doc: 'A PCI device of a host.',
  life: 'boston',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'boston', 'UUID of the device.'),
    class_id: field(t.string, 'StaticRO', 'boston', 'Number of the device class, in hexadecimal.', { default: '' }),
    class_name: field(t.string, 'StaticRO', 'boston', 'Name of the device class.', { default: '' }),
    vendor_id: field(t.string, 'StaticRO', 'boston', 'Number of the vendor, in hexadecimal.', { default: '' }),
    vendor_name: field(t.string, 'StaticRO', 'boston', 'Name of the vendor.', { default: '' }),
    device_id: field(t.string, 'StaticRO', 'boston', 'Number of the device, in hexadecimal.', { default: '' }),
    device_name: field(t.string, 'StaticRO', 'boston', 'Name of the device.', { default: '' }),
    host: field(t.ref('host'), 'StaticRO', 'boston', 'Host that has the device.', { default: 'OpaqueRef:NULL' }),
    pci_id: field(t.string, 'StaticRO', 'boston', 'Address of the device on the host, such as `0000:03:00.0`.', {
      default: '',
    }),
    functions: field(t.int, 'DynamicRO', 'boston', 'Number of functions that the device has.', {
      default: 1,
      internal: true,
    }),
    virtual_functions: field(
      t.set(t.ref('PCI')),
      'DynamicRO',
      'falcon',
      'Virtual functions of the device, if it is a physical function.',
      {
        internal: true,
        from: 'PCI.physical_function',
      },
    ),
    physical_function: field(
      t.ref('PCI'),
      'StaticRO',
      'falcon',
      'Physical function that the device is a virtual one of, or null.',
      {
        default: 'OpaqueRef:NULL',
        internal: true,
      },
    ),
    attached_VMs: field(t.set(t.ref('VM')), 'DynamicRO', 'boston', 'VMs that have the device now.', {
      internal: true,
      mirrors: 'VM.attached_PCIs',
    }),
    dependencies: field(
      t.set(t.ref('PCI')),
      'DynamicRO',
      'boston',
      'Devices that must be passed through together with this one.',
      { dangling: true },
    ),
    other_config: field(t.map(t.string, t.string), 'RW', 'boston', 'Further data of clients.', { default: {} }),
    subsystem_vendor_id: field(
      t.string,
      'StaticRO',
      'clearwater-whetstone',
      'Number of the vendor of the card, in hexadecimal.',
      { default: '' },
    ),
    subsystem_vendor_name: field(t.string, 'StaticRO', 'clearwater-whetstone', 'Name of the vendor of the card.', {
      default: '',
    }),
    subsystem_device_id: field(t.string, 'StaticRO', 'clearwater-whetstone', 'Number of the card, in hexadecimal.', {
      default: '',
    }),
    subsystem_device_name: field(t.string, 'StaticRO', 'clearwater-whetstone', 'Name of the card.', {
      default: '',
    }),
    scheduled_to_be_attached_to: field(
      t.ref('VM'),
      'DynamicRO',
      'falcon',
      'VM for which the device is reserved, or null.',
      {
        default: 'OpaqueRef:NULL',
        internal: true,
      },
    ),
    driver_name: field(
      t.string,
      'StaticRO',
      'kolkata',
      'Driver that the control domain uses for the device, or empty.',
      { default: '' },
    ),
  },
  messages: {
    disable_dom0_access: {
      doc: 'Hide the device from the control domain, so that a VM may have it, from the next reboot.',
      params: { self: t.ref('PCI') },
      result: e.pci_dom0_access,
      role: 'pool-operator',
      life: 'prototyped 24.14.0',
    },
    enable_dom0_access: {
      doc: 'Give the device back to the control domain from the next reboot.',
      params: { self: t.ref('PCI') },
      result: e.pci_dom0_access,
      role: 'pool-operator',
      life: 'prototyped 24.14.0',
    },
    get_dom0_access_status: {
      doc: 'Say whether the control domain has the device now and after the next reboot.',
      params: { self: t.ref('PCI') },
      result: e.pci_dom0_access,
      role: 'pool-operator',
      life: 'prototyped 24.14.0',
    },
  },
});
