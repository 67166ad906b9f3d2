/** XenAPI class `PBD`. */
import { cls, field, t } from '../dsl.ts';

export const PBD = cls({
  name: 'PBD',
  doc: 'The connection of one host to one SR.',
  life: 'rio',
  lifecycle: true,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the PBD.'),
    host: field(t.ref('host'), 'StaticRO', 'rio', 'Host that is connected.'),
    SR: field(t.ref('SR'), 'StaticRO', 'rio', 'SR that the host is connected to.'),
    device_config: field(
      t.map(t.string, t.string),
      'StaticRO',
      'rio',
      'Settings with which the driver finds the storage from this host, such as `server` or `device`.',
    ),
    currently_attached: field(t.bool, 'DynamicRO', 'rio', 'True while the SR is attached on the host.'),
    other_config: field(
      t.map(t.string, t.string),
      'RW',
      'miami',
      'Further settings, such as those for multipathing, and data of clients.',
      { default: {} },
    ),
  },
  messages: {
    plug: {
      doc: 'Attach the SR on the host.',
      params: { self: t.ref('PBD') },
      result: t.none,
      role: 'pool-operator',
      life: 'rio',
      errors: ['SR_UNKNOWN_DRIVER'],
    },
    unplug: {
      doc: 'Detach the SR from the host; none of its disks may be in use there.',
      params: { self: t.ref('PBD') },
      result: t.none,
      role: 'pool-operator',
      life: 'rio',
    },
    set_device_config: {
      doc: 'Replace the settings of the connection; takes effect at the next plug.',
      params: { self: t.ref('PBD'), value: t.map(t.string, t.string) },
      result: t.none,
      role: 'pool-operator',
      life: 'miami',
    },
  },
});
