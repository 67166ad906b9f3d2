/** XenAPI class `VIF_metrics`. */
import { cls, field, t } from '../dsl.ts';

export const VIF_metrics = cls({
  name: 'VIF_metrics',
  doc: 'VIF metrics.',
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
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    io_read_kbs: field(t.float, 'DynamicRO', 'published rio; deprecated tampa; removed tampa', 'Io read kbs.', {
      default: 0,
      persistent: false,
    }),
    io_write_kbs: field(t.float, 'DynamicRO', 'published rio; deprecated tampa; removed tampa', 'Io write kbs.', {
      default: 0,
      persistent: false,
    }),
    last_updated: field(t.datetime, 'DynamicRO', 'rio', 'Last updated.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'orlando', 'Other config.', { default: {} }),
  },
  messages: {},
});
