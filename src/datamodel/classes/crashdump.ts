/** XenAPI class `crashdump`. */
import { cls, field, t } from '../dsl.ts';

export const crashdump = cls({
  name: 'crashdump',
  doc: 'crashdump.',
  life: 'published rio; deprecated inverness',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    VM: field(t.ref('VM'), 'StaticRO', 'rio', 'VM.'),
    VDI: field(t.ref('VDI'), 'StaticRO', 'rio', 'VDI.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Other config.', { default: {} }),
  },
  messages: {
    destroy: {
      doc: 'Destroy of this crashdump.',
      params: { self: t.ref('crashdump') },
      result: t.none,
      role: 'pool-operator',
      life: 'rio',
    },
  },
});
