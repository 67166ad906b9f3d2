/** XenAPI class `PUSB`. */
import { cls, field, t } from '../dsl.ts';

export const PUSB = cls({
  name: 'PUSB',
  doc: 'PUSB.',
  life: 'inverness',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'inverness', 'Uuid.'),
    USB_group: field(t.ref('USB_group'), 'StaticRO', 'inverness', 'USB group.', { default: 'OpaqueRef:NULL' }),
    host: field(t.ref('host'), 'StaticRO', 'inverness', 'Host.', { default: 'OpaqueRef:NULL' }),
    path: field(t.string, 'StaticRO', 'inverness', 'Path.', { default: '' }),
    vendor_id: field(t.string, 'StaticRO', 'inverness', 'Vendor id.', { default: '' }),
    vendor_desc: field(t.string, 'StaticRO', 'inverness', 'Vendor desc.', { default: '' }),
    product_id: field(t.string, 'StaticRO', 'inverness', 'Product id.', { default: '' }),
    product_desc: field(t.string, 'StaticRO', 'inverness', 'Product desc.', { default: '' }),
    serial: field(t.string, 'StaticRO', 'inverness', 'Serial.', { default: '' }),
    version: field(t.string, 'StaticRO', 'inverness', 'Version.', { default: '' }),
    description: field(t.string, 'StaticRO', 'inverness', 'Description.', { default: '' }),
    passthrough_enabled: field(t.bool, 'DynamicRO', 'inverness', 'Passthrough enabled.', { default: false }),
    other_config: field(t.map(t.string, t.string), 'RW', 'inverness', 'Other config.', { default: {} }),
    speed: field(t.float, 'StaticRO', 'stockholm', 'Speed.', { default: -1 }),
  },
  messages: {
    scan: {
      doc: 'Scan of this PUSB.',
      params: { host: t.ref('host') },
      result: t.none,
      role: 'pool-admin',
      life: 'inverness',
    },
    set_passthrough_enabled: {
      doc: 'Set passthrough enabled of this PUSB.',
      params: { self: t.ref('PUSB'), value: t.bool },
      result: t.none,
      role: 'pool-admin',
      life: 'inverness',
    },
  },
});
