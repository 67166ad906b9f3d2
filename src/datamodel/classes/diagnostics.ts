/** XenAPI class `Diagnostics`. */
import { cls, t } from '../dsl.ts';

export const Diagnostics = cls({
  name: 'Diagnostics',
  doc: 'Questions about the inside of the toolstack, for debugging.',
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
      doc: "Collect garbage in the toolstack's memory.",
      params: { host: t.ref('host') },
      result: t.none,
      role: 'pool-operator',
      life: 'stockholm',
      hidden: true,
    },
    gc_stats: {
      doc: "Return figures about the toolstack's memory.",
      params: { host: t.ref('host') },
      result: t.map(t.string, t.string),
      role: 'pool-operator',
      life: 'stockholm',
      hidden: true,
    },
    db_stats: {
      doc: 'Return figures about database locks.',
      params: {},
      result: t.map(t.string, t.string),
      role: 'pool-operator',
      life: 'stockholm',
      hidden: true,
    },
    network_stats: {
      doc: 'Return figures about the API calls that the host has served.',
      params: { host: t.ref('host'), params: t.map(t.string, t.string) },
      result: t.set(t.set(t.string)),
      role: 'pool-operator',
      life: 'stockholm',
      hidden: true,
    },
  },
});
