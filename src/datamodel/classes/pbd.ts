/** XenAPI class `PBD`. */
import { cls, field, t } from '../dsl.ts';

export const PBD = cls({
  name: 'PBD',
  doc: 'PBD.',
  life: 'rio',
  lifecycle: true,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    host: field(t.ref('host'), 'StaticRO', 'rio', 'Host.'),
    SR: field(t.ref('SR'), 'StaticRO', 'rio', 'SR.'),
    device_config: field(t.map(t.string, t.string), 'StaticRO', 'rio', 'Device config.'),
    currently_attached: field(t.bool, 'DynamicRO', 'rio', 'Currently attached.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Other config.', { default: {} }),
  },
  messages: {
    plug: {
      doc: 'Plug of this PBD.',
      params: { self: t.ref('PBD') },
      result: t.none,
      role: 'pool-operator',
      life: 'rio',
      errors: ['SR_UNKNOWN_DRIVER'],
    },
    unplug: {
      doc: 'Unplug of this PBD.',
      params: { self: t.ref('PBD') },
      result: t.none,
      role: 'pool-operator',
      life: 'rio',
    },
    set_device_config: {
      doc: 'Set device config of this PBD.',
      params: { self: t.ref('PBD'), value: t.map(t.string, t.string) },
      result: t.none,
      role: 'pool-operator',
      life: 'miami',
    },
  },
});
