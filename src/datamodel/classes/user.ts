/** XenAPI class `user`. */
import { cls, field, t } from '../dsl.ts';

export const user = cls({
  name: 'user',
  doc: 'user.',
  life: 'published rio; deprecated george',
  lifecycle: true,
  events: false,
  persistent: true,
  inDatabase: true,
  getAll: false,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    short_name: field(t.string, 'StaticRO', 'rio', 'Short name.'),
    fullname: field(t.string, 'RW', 'rio', 'Fullname.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'orlando', 'Other config.', { default: {} }),
  },
  messages: {},
});
