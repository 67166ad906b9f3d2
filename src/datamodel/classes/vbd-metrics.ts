/** XenAPI class `VBD_metrics`. */
import { cls, field, t } from '../dsl.ts';

export const VBD_metrics = cls({
  name: 'VBD_metrics',
  doc: 'VBD metrics.',
  life: 'published rio; deprecated tampa; removed tampa',
  lifecycle: false,
  events: true,
  persistent: false,
  inDatabase: true,
  getAll: true,
  role: 'vm-admin',
  readRole: 'read-only',
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
    last_updated: field(t.datetime, 'DynamicRO', 'published rio; deprecated tampa; removed tampa', 'Last updated.', {
      default: '19700101T00:00:00Z',
    }),
    other_config: field(
      t.map(t.string, t.string),
      'RW',
      'published orlando; deprecated tampa; removed tampa',
      'Other config.',
      { default: {} },
    ),
  },
  messages: {},
});
