/** XenAPI class `host_crashdump`. */
import { cls, field, t } from '../dsl.ts';

export const host_crashdump = cls({
  name: 'host_crashdump',
  doc: 'A dump made when a host crashed.',
  life: 'rio',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the dump.'),
    host: field(t.ref('host'), 'StaticRO', 'rio', 'Host that crashed.'),
    timestamp: field(t.datetime, 'DynamicRO', 'rio', 'When the host crashed, in UTC.'),
    size: field(t.int, 'DynamicRO', 'rio', 'Size of the dump in bytes.'),
    filename: field(t.string, 'StaticRO', 'rio', "Name of the dump's folder on the host.", { internal: true }),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Further data of clients.', { default: {} }),
  },
  messages: {
    destroy: {
      doc: 'Delete the dump from the host.',
      params: { self: t.ref('host_crashdump') },
      result: t.none,
      role: 'pool-operator',
      life: 'rio',
    },
    upload: {
      doc: 'Upload the dump from the host to the URL.',
      params: { self: t.ref('host_crashdump'), url: t.string, options: t.map(t.string, t.string) },
      result: t.none,
      role: 'pool-operator',
      life: 'rio',
    },
  },
});
