/** XenAPI class `VUSB`. */
import { cls, field, opt, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const VUSB = cls({
  name: 'VUSB',
  doc: 'A USB device passed through to a VM.',
  life: 'inverness',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'inverness', 'UUID of the virtual device.'),
    allowed_operations: field(
      t.set(e.vusb_operations),
      'DynamicRO',
      'rio',
      'Operations that would be accepted now; advice only.',
      {
        default: [],
        persistent: false,
      },
    ),
    current_operations: field(
      t.map(t.string, e.vusb_operations),
      'DynamicRO',
      'rio',
      'Operations in progress, keyed by the reference of the task that runs each.',
      {
        default: {},
        persistent: false,
      },
    ),
    VM: field(t.ref('VM'), 'DynamicRO', 'inverness', 'VM that has the device.'),
    USB_group: field(t.ref('USB_group'), 'DynamicRO', 'inverness', 'Group whose devices can serve it.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'inverness', 'Further data of clients.', { default: {} }),
    currently_attached: field(t.bool, 'DynamicRO', 'rio', 'True while the device is in the domain.', {
      default: false,
    }),
  },
  messages: {
    create: {
      doc: 'Give a Halted VM a USB device of this group.',
      params: { VM: t.ref('VM'), USB_group: t.ref('USB_group'), other_config: opt(t.map(t.string, t.string), {}) },
      result: t.ref('VUSB'),
      role: 'pool-admin',
      life: 'inverness',
    },
    unplug: {
      doc: 'Take the device from a Running VM.',
      params: { self: t.ref('VUSB') },
      result: t.none,
      role: 'pool-admin',
      life: 'inverness',
      op: 'unplug',
    },
    destroy: {
      doc: 'Delete the virtual device; it must not be attached.',
      params: { self: t.ref('VUSB') },
      result: t.none,
      role: 'pool-admin',
      life: 'inverness',
    },
  },
});
