/** XenAPI class `VLAN`. */
import { cls, field, t } from '../dsl.ts';

export const VLAN = cls({
  name: 'VLAN',
  doc: 'VLAN.',
  life: 'miami',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  tags: ['networking'],
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    tagged_PIF: field(t.ref('PIF'), 'StaticRO', 'miami', 'Tagged PIF.', { default: 'OpaqueRef:NULL' }),
    untagged_PIF: field(t.ref('PIF'), 'DynamicRO', 'miami', 'Untagged PIF.', { default: 'OpaqueRef:NULL' }),
    tag: field(t.int, 'StaticRO', 'miami', 'Tag.', { default: -1 }),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Other config.', { default: {} }),
  },
  messages: {
    pool_introduce: {
      doc: 'Pool introduce of this VLAN.',
      params: {
        tagged_PIF: t.ref('PIF'),
        untagged_PIF: t.ref('PIF'),
        tag: t.int,
        other_config: t.map(t.string, t.string),
      },
      result: t.ref('VLAN'),
      role: 'pool-operator',
      life: 'inverness',
      hidden: true,
    },
    create: {
      doc: 'Create of this VLAN.',
      params: { tagged_PIF: t.ref('PIF'), tag: t.int, network: t.ref('network') },
      result: t.ref('VLAN'),
      role: 'pool-operator',
      life: 'miami',
    },
    destroy: {
      doc: 'Destroy of this VLAN.',
      params: { self: t.ref('VLAN') },
      result: t.none,
      role: 'pool-operator',
      life: 'miami',
    },
  },
});
