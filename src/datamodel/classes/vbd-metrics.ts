/** XenAPI class `VBD_metrics`. */
import { cls, field, t } from '../dsl.ts';

export const VBD_metrics = cls({
  name: 'VBD_metrics',
  doc: 'Former measurements of a VBD; read the RRDs instead.',
  life: 'published rio; deprecated tampa; removed tampa',
  lifecycle: false,
  events: true,
  persistent: false,
  inDatabase: true,
  getAll: true,
  role: 'vm-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the metrics.'),
    io_read_kbs: field(
      t.float,
      'DynamicRO',
      'published rio; deprecated tampa; removed tampa',
      'Former rate of reads in KiB/s.',
      {
        default: 0,
        persistent: false,
      },
    ),
    io_write_kbs: field(
      t.float,
      'DynamicRO',
      'published rio; deprecated tampa; removed tampa',
      'Former rate of writes in KiB/s.',
      {
        default: 0,
        persistent: false,
      },
    ),
    last_updated: field(
      t.datetime,
      'DynamicRO',
      'published rio; deprecated tampa; removed tampa',
      'When these values were last written, in UTC.',
      {
        default: '19700101T00:00:00Z',
      },
    ),
    other_config: field(
      t.map(t.string, t.string),
      'RW',
      'published orlando; deprecated tampa; removed tampa',
      'Further data of clients.',
      { default: {} },
    ),
  },
  messages: {},
});
