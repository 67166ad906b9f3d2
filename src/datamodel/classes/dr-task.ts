/** XenAPI class `DR_task`. */
import { cls, field, t } from '../dsl.ts';

export const DR_task = cls({
  name: 'DR_task',
  doc: 'DR task.',
  life: 'boston',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    introduced_SRs: field(t.set(t.ref('SR')), 'DynamicRO', 'rio', 'Introduced SRs.', { from: 'SR.introduced_by' }),
  },
  messages: {
    create: {
      doc: 'Create of this DR task.',
      params: { type: t.string, device_config: t.map(t.string, t.string), whitelist: t.set(t.string) },
      result: t.ref('DR_task'),
      role: 'pool-operator',
      life: 'boston',
    },
    destroy: {
      doc: 'Destroy of this DR task.',
      params: { self: t.ref('DR_task') },
      result: t.none,
      role: 'pool-operator',
      life: 'boston',
    },
  },
});
