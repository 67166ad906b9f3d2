/** XenAPI class `secret`. */
import { cls, field, opt, t } from '../dsl.ts';

export const secret = cls({
  name: 'secret',
  doc: 'A value, such as a password, that other objects refer to instead of showing it.',
  life: 'midnight-ride',
  lifecycle: true,
  events: false,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'pool-operator',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the secret, by which other objects refer to it.', {
      readRole: 'pool-operator',
    }),
    value: field(t.string, 'RW', 'rio', 'The secret text.', { readRole: 'pool-operator' }),
    other_config: field(t.map(t.string, t.string), 'RW', 'rio', 'Further data of clients.', {
      default: {},
      readRole: 'read-only',
    }),
  },
  messages: {
    introduce: {
      doc: 'Make a secret with a given UUID, as for a joining host.',
      params: { uuid: t.string, value: t.string, other_config: opt(t.map(t.string, t.string), {}, 'boston') },
      result: t.ref('secret'),
      role: 'pool-operator',
      life: 'midnight-ride',
      sync: true,
      hidden: true,
    },
  },
});
