/** XenAPI class `crashdump`. */
import { cls, field, t } from '../dsl.ts';

export const crashdump = cls({
  name: 'crashdump',
  doc: 'A memory dump made when a guest crashed.',
  life: 'published rio; deprecated inverness',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the dump.'),
    VM: field(t.ref('VM'), 'StaticRO', 'rio', 'VM whose guest crashed.'),
    VDI: field(t.ref('VDI'), 'StaticRO', 'rio', 'Disk that holds the dump.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Further data of clients.', { default: {} }),
  },
  messages: {
    destroy: {
      doc: 'Delete the dump and its disk.',
      params: { self: t.ref('crashdump') },
      result: t.none,
      role: 'pool-operator',
      life: 'rio',
    },
  },
});
