/** XenAPI class `host_crashdump`. */
import { cls, field, t } from '../dsl.ts';

export const host_crashdump = cls({
  name: 'host_crashdump',
  doc: 'host crashdump.',
  life: 'rio',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    host: field(t.ref('host'), 'StaticRO', 'rio', 'Host.'),
    timestamp: field(t.datetime, 'DynamicRO', 'rio', 'Timestamp.'),
    size: field(t.int, 'DynamicRO', 'rio', 'Size.'),
    filename: field(t.string, 'StaticRO', 'rio', 'Filename.', { internal: true }),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Other config.', { default: {} }),
  },
  messages: {
    destroy: {
      doc: 'Destroy of this host crashdump.',
      params: { self: t.ref('host_crashdump') },
      result: t.none,
      role: 'pool-operator',
      life: 'rio',
    },
    upload: {
      doc: 'Upload of this host crashdump.',
      params: { self: t.ref('host_crashdump'), url: t.string, options: t.map(t.string, t.string) },
      result: t.none,
      role: 'pool-operator',
      life: 'rio',
    },
  },
});
