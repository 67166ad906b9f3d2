/** XenAPI class `USB_group`. */
import { cls, field, opt, t } from '../dsl.ts';

export const USB_group = cls({
  name: 'USB_group',
  doc: 'USB group.',
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
    name_label: field(t.string, 'RW', 'inverness', 'Name label.', { default: '' }),
    name_description: field(t.string, 'RW', 'inverness', 'Name description.', { default: '' }),
    PUSBs: field(t.set(t.ref('PUSB')), 'DynamicRO', 'inverness', 'PUSBs.', { from: 'PUSB.USB_group' }),
    VUSBs: field(t.set(t.ref('VUSB')), 'DynamicRO', 'inverness', 'VUSBs.', { from: 'VUSB.USB_group' }),
    other_config: field(t.map(t.string, t.string), 'RW', 'inverness', 'Other config.', { default: {} }),
  },
  messages: {
    create: {
      doc: 'Create of this USB group.',
      params: {
        name_label: opt(t.string, ''),
        name_description: opt(t.string, ''),
        other_config: opt(t.map(t.string, t.string), {}),
      },
      result: t.ref('USB_group'),
      role: 'pool-admin',
      life: 'inverness',
    },
    destroy: {
      doc: 'Destroy of this USB group.',
      params: { self: t.ref('USB_group') },
      result: t.none,
      role: 'pool-admin',
      life: 'inverness',
    },
  },
});
