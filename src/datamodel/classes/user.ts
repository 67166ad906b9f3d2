/** XenAPI class `user`. */
import { cls, field, t } from '../dsl.ts';

export const user = cls({
  name: 'user',
  doc: 'A local account; only root is used.',
  life: 'published rio; deprecated george',
  lifecycle: true,
  events: false,
  persistent: true,
  inDatabase: true,
  getAll: false,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the user.'),
    short_name: field(t.string, 'StaticRO', 'rio', 'Name to log in with.'),
    fullname: field(t.string, 'RW', 'rio', 'Name of the person.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'orlando', 'Further data of clients.', { default: {} }),
  },
  messages: {},
});
