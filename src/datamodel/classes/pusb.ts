/** XenAPI class `PUSB`. */
import { cls, field, t } from '../dsl.ts';

export const PUSB = cls({
  name: 'PUSB',
  doc: 'A USB device plugged into a host.',
  life: 'inverness',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'inverness', 'UUID of the device.'),
    USB_group: field(t.ref('USB_group'), 'StaticRO', 'inverness', 'Group that the device belongs to.', {
      default: 'OpaqueRef:NULL',
    }),
    host: field(t.ref('host'), 'StaticRO', 'inverness', 'Host that the device is plugged into.', {
      default: 'OpaqueRef:NULL',
    }),
    path: field(t.string, 'StaticRO', 'inverness', 'Where the device is plugged in, as bus and ports.', {
      default: '',
    }),
    vendor_id: field(t.string, 'StaticRO', 'inverness', 'Number of the vendor, in hexadecimal.', { default: '' }),
    vendor_desc: field(t.string, 'StaticRO', 'inverness', 'Name of the vendor.', { default: '' }),
    product_id: field(t.string, 'StaticRO', 'inverness', 'Number of the product, in hexadecimal.', { default: '' }),
    product_desc: field(t.string, 'StaticRO', 'inverness', 'Name of the product.', { default: '' }),
    serial: field(t.string, 'StaticRO', 'inverness', 'Serial number of the device.', { default: '' }),
    version: field(t.string, 'StaticRO', 'inverness', 'Version of USB that the device speaks.', { default: '' }),
    description: field(t.string, 'StaticRO', 'inverness', 'Text about the device for people.', { default: '' }),
    passthrough_enabled: field(
      t.bool,
      'DynamicRO',
      'inverness',
      'True when the device may be passed through to a VM.',
      { default: false },
    ),
    other_config: field(t.map(t.string, t.string), 'RW', 'inverness', 'Further data of clients.', { default: {} }),
    speed: field(t.float, 'StaticRO', 'stockholm', 'Speed of the device in Mbit/s, or -1 if unknown.', { default: -1 }),
  },
  messages: {
    scan: {
      doc: 'Look for USB devices on the host and bring the records in line.',
      params: { host: t.ref('host') },
      result: t.none,
      role: 'pool-admin',
      life: 'inverness',
    },
    set_passthrough_enabled: {
      doc: 'Set whether the device may be passed through; refused while a VM has it.',
      params: { self: t.ref('PUSB'), value: t.bool },
      result: t.none,
      role: 'pool-admin',
      life: 'inverness',
    },
  },
});
