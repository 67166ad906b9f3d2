/** XenAPI class `DR_task`. */
import { cls, field, t } from '../dsl.ts';

export const DR_task = cls({
  name: 'DR_task',
  doc: 'A disaster recovery in progress, which holds the SRs that it introduced.',
  life: 'boston',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the disaster recovery task.'),
    introduced_SRs: field(t.set(t.ref('SR')), 'DynamicRO', 'rio', 'SRs that were introduced to read metadata from.', {
      from: 'SR.introduced_by',
    }),
  },
  messages: {
    create: {
      doc: 'Look for SRs with pool metadata, restricted to the listed UUIDs if any, and introduce them.',
      params: { type: t.string, device_config: t.map(t.string, t.string), whitelist: t.set(t.string) },
      result: t.ref('DR_task'),
      role: 'pool-operator',
      life: 'boston',
    },
    destroy: {
      doc: 'End the recovery and forget the SRs that it introduced, unless recovered VMs use them.',
      params: { self: t.ref('DR_task') },
      result: t.none,
      role: 'pool-operator',
      life: 'boston',
    },
  },
});
