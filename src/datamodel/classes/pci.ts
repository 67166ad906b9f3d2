/** XenAPI class `PCI`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const PCI = cls({
  name: 'PCI',
  doc: 'PCI.',
  life: 'boston',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'boston', 'Uuid.'),
    class_id: field(t.string, 'StaticRO', 'boston', 'Class id.', { default: '' }),
    class_name: field(t.string, 'StaticRO', 'boston', 'Class name.', { default: '' }),
    vendor_id: field(t.string, 'StaticRO', 'boston', 'Vendor id.', { default: '' }),
    vendor_name: field(t.string, 'StaticRO', 'boston', 'Vendor name.', { default: '' }),
    device_id: field(t.string, 'StaticRO', 'boston', 'Device id.', { default: '' }),
    device_name: field(t.string, 'StaticRO', 'boston', 'Device name.', { default: '' }),
    host: field(t.ref('host'), 'StaticRO', 'boston', 'Host.', { default: 'OpaqueRef:NULL' }),
    pci_id: field(t.string, 'StaticRO', 'boston', 'Pci id.', { default: '' }),
    functions: field(t.int, 'DynamicRO', 'boston', 'Functions.', { default: 1, internal: true }),
    virtual_functions: field(t.set(t.ref('PCI')), 'DynamicRO', 'falcon', 'Virtual functions.', {
      internal: true,
      from: 'PCI.physical_function',
    }),
    physical_function: field(t.ref('PCI'), 'StaticRO', 'falcon', 'Physical function.', {
      default: 'OpaqueRef:NULL',
      internal: true,
    }),
    attached_VMs: field(t.set(t.ref('VM')), 'DynamicRO', 'boston', 'Attached VMs.', {
      internal: true,
      mirrors: 'VM.attached_PCIs',
    }),
    dependencies: field(t.set(t.ref('PCI')), 'DynamicRO', 'boston', 'Dependencies.', { dangling: true }),
    other_config: field(t.map(t.string, t.string), 'RW', 'boston', 'Other config.', { default: {} }),
    subsystem_vendor_id: field(t.string, 'StaticRO', 'clearwater-whetstone', 'Subsystem vendor id.', { default: '' }),
    subsystem_vendor_name: field(t.string, 'StaticRO', 'clearwater-whetstone', 'Subsystem vendor name.', {
      default: '',
    }),
    subsystem_device_id: field(t.string, 'StaticRO', 'clearwater-whetstone', 'Subsystem device id.', { default: '' }),
    subsystem_device_name: field(t.string, 'StaticRO', 'clearwater-whetstone', 'Subsystem device name.', {
      default: '',
    }),
    scheduled_to_be_attached_to: field(t.ref('VM'), 'DynamicRO', 'falcon', 'Scheduled to be attached to.', {
      default: 'OpaqueRef:NULL',
      internal: true,
    }),
    driver_name: field(t.string, 'StaticRO', 'kolkata', 'Driver name.', { default: '' }),
  },
  messages: {
    disable_dom0_access: {
      doc: 'Disable dom0 access of this PCI.',
      params: { self: t.ref('PCI') },
      result: e.pci_dom0_access,
      role: 'pool-operator',
      life: 'prototyped 24.14.0',
    },
    enable_dom0_access: {
      doc: 'Enable dom0 access of this PCI.',
      params: { self: t.ref('PCI') },
      result: e.pci_dom0_access,
      role: 'pool-operator',
      life: 'prototyped 24.14.0',
    },
    get_dom0_access_status: {
      doc: 'Get dom0 access status of this PCI.',
      params: { self: t.ref('PCI') },
      result: e.pci_dom0_access,
      role: 'pool-operator',
      life: 'prototyped 24.14.0',
    },
  },
});
