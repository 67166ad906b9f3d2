/** XenAPI class `VUSB`. */
import { cls, field, opt, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const VUSB = cls({
  name: 'VUSB',
  doc: 'VUSB.',
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
    allowed_operations: field(t.set(e.vusb_operations), 'DynamicRO', 'rio', 'Allowed operations.', {
      default: [],
      persistent: false,
    }),
    current_operations: field(t.map(t.string, e.vusb_operations), 'DynamicRO', 'rio', 'Current operations.', {
      default: {},
      persistent: false,
    }),
    VM: field(t.ref('VM'), 'DynamicRO', 'inverness', 'VM.'),
    USB_group: field(t.ref('USB_group'), 'DynamicRO', 'inverness', 'USB group.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'inverness', 'Other config.', { default: {} }),
    currently_attached: field(t.bool, 'DynamicRO', 'rio', 'Currently attached.', { default: false }),
  },
  messages: {
    create: {
      doc: 'Create of this VUSB.',
      params: { VM: t.ref('VM'), USB_group: t.ref('USB_group'), other_config: opt(t.map(t.string, t.string), {}) },
      result: t.ref('VUSB'),
      role: 'pool-admin',
      life: 'inverness',
    },
    unplug: {
      doc: 'Unplug of this VUSB.',
      params: { self: t.ref('VUSB') },
      result: t.none,
      role: 'pool-admin',
      life: 'inverness',
      op: 'unplug',
    },
    destroy: {
      doc: 'Destroy of this VUSB.',
      params: { self: t.ref('VUSB') },
      result: t.none,
      role: 'pool-admin',
      life: 'inverness',
    },
  },
});
