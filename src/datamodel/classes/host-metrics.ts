/** XenAPI class `host_metrics`. */
import { cls, field, t } from '../dsl.ts';

export const host_metrics = cls({
  name: 'host_metrics',
  doc: 'host metrics.',
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
    memory_total: field(t.int, 'DynamicRO', 'rio', 'Memory total.', { tags: ['memory'] }),
    memory_free: field(t.int, 'DynamicRO', 'published rio; deprecated midnight-ride; removed tampa', 'Memory free.', {
      default: 0,
      tags: ['memory'],
    }),
    live: field(t.bool, 'DynamicRO', 'rio', 'Live.'),
    last_updated: field(t.datetime, 'DynamicRO', 'rio', 'Last updated.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'orlando', 'Other config.', { default: {} }),
  },
  messages: {},
});
