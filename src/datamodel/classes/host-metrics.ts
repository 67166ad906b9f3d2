/** XenAPI class `host_metrics`. */
import { cls, field, t } from '../dsl.ts';

export const host_metrics = cls({
  name: 'host_metrics',
  doc: 'Measurements of a host.',
  life: 'rio',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the metrics.'),
    memory_total: field(t.int, 'DynamicRO', 'rio', 'Memory in bytes that the host has.', { tags: ['memory'] }),
    memory_free: field(
      t.int,
      'DynamicRO',
      'published rio; deprecated midnight-ride; removed tampa',
      'Former report of free memory in bytes; use host.compute_free_memory.',
      {
        default: 0,
        tags: ['memory'],
      },
    ),
    live: field(t.bool, 'DynamicRO', 'rio', 'True while the host sends its heartbeat.'),
    last_updated: field(t.datetime, 'DynamicRO', 'rio', 'When these values were last written, in UTC.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'orlando', 'Further data of clients.', { default: {} }),
  },
  messages: {},
});
