/** XenAPI class `Diagnostics`. */
import { cls, t } from '../dsl.ts';

export const Diagnostics = cls({
  name: 'Diagnostics',
  doc: 'Diagnostics.',
  life: 'stockholm',
  lifecycle: false,
  events: false,
  persistent: false,
  inDatabase: false,
  getAll: false,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {},
  messages: {
    gc_compact: {
      doc: 'Gc compact of this Diagnostics.',
      params: { host: t.ref('host') },
      result: t.none,
      role: 'pool-operator',
      life: 'stockholm',
      hidden: true,
    },
    gc_stats: {
      doc: 'Gc stats of this Diagnostics.',
      params: { host: t.ref('host') },
      result: t.map(t.string, t.string),
      role: 'pool-operator',
      life: 'stockholm',
      hidden: true,
    },
    db_stats: {
      doc: 'Db stats of this Diagnostics.',
      params: {},
      result: t.map(t.string, t.string),
      role: 'pool-operator',
      life: 'stockholm',
      hidden: true,
    },
    network_stats: {
      doc: 'Network stats of this Diagnostics.',
      params: { host: t.ref('host'), params: t.map(t.string, t.string) },
      result: t.set(t.set(t.string)),
      role: 'pool-operator',
      life: 'stockholm',
      hidden: true,
    },
  },
});
