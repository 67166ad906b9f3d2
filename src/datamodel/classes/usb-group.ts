/** XenAPI class `USB_group`. */
import { cls, field, opt, t } from '../dsl.ts';

export const USB_group = cls({
  name: 'USB_group',
  doc: 'A group of USB devices, any of which can serve a VUSB.',
  life: 'inverness',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'inverness', 'UUID of the group.'),
    name_label: field(t.string, 'RW', 'inverness', 'Name shown to users; need not be unique.', { default: '' }),
    name_description: field(t.string, 'RW', 'inverness', 'Free text about the group for people.', { default: '' }),
    PUSBs: field(t.set(t.ref('PUSB')), 'DynamicRO', 'inverness', 'USB devices of the group.', {
      from: 'PUSB.USB_group',
    }),
    VUSBs: field(t.set(t.ref('VUSB')), 'DynamicRO', 'inverness', 'Virtual devices that the group serves.', {
      from: 'VUSB.USB_group',
    }),
    other_config: field(t.map(t.string, t.string), 'RW', 'inverness', 'Further data of clients.', { default: {} }),
  },
  messages: {
    create: {
      doc: 'Make an empty group.',
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
      doc: 'Delete a group that has neither physical nor virtual devices.',
      params: { self: t.ref('USB_group') },
      result: t.none,
      role: 'pool-admin',
      life: 'inverness',
    },
  },
});
