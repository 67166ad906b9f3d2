/** XenAPI class `secret`. */
import { cls, field, opt, t } from '../dsl.ts';

export const secret = cls({
  name: 'secret',
  doc: 'secret.',
  life: 'midnight-ride',
  lifecycle: true,
  events: false,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'pool-operator',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.', { readRole: 'pool-operator' }),
    value: field(t.string, 'RW', 'rio', 'Value.', { readRole: 'pool-operator' }),
    other_config: field(t.map(t.string, t.string), 'RW', 'rio', 'Other config.', {
      default: {},
      readRole: 'read-only',
    }),
  },
  messages: {
    introduce: {
      doc: 'Introduce of this secret.',
      params: { uuid: t.string, value: t.string, other_config: opt(t.map(t.string, t.string), {}, 'boston') },
      result: t.ref('secret'),
      role: 'pool-operator',
      life: 'midnight-ride',
      sync: true,
      hidden: true,
    },
  },
});
