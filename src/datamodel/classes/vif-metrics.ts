/** XenAPI class `VIF_metrics`. */
import { cls, field, t } from '../dsl.ts';

export const VIF_metrics = cls({
  name: 'VIF_metrics',
  doc: 'Former measurements of a VIF; read the RRDs instead.',
  life: 'published rio; deprecated tampa; removed tampa',
  lifecycle: false,
  events: true,
  persistent: false,
  inDatabase: true,
  getAll: true,
  role: 'vm-admin',
  readRole: 'read-only',
  tags: ['networking'],
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the metrics.'),
    io_read_kbs: field(
      t.float,
      'DynamicRO',
      'published rio; deprecated tampa; removed tampa',
      'Former rate of incoming traffic in KiB/s.',
      {
        default: 0,
        persistent: false,
      },
    ),
    io_write_kbs: field(
      t.float,
      'DynamicRO',
      'published rio; deprecated tampa; removed tampa',
      'Former rate of outgoing traffic in KiB/s.',
      {
        default: 0,
        persistent: false,
      },
    ),
    last_updated: field(t.datetime, 'DynamicRO', 'rio', 'When these values were last written, in UTC.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'orlando', 'Further data of clients.', { default: {} }),
  },
  messages: {},
});
