/** XenAPI class `VLAN`. */
import { cls, field, t } from '../dsl.ts';

export const VLAN = cls({
  name: 'VLAN',
  doc: 'A VLAN on a PIF: packets with one tag there are untagged packets on another PIF.',
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
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the VLAN.'),
    tagged_PIF: field(t.ref('PIF'), 'StaticRO', 'miami', 'PIF that carries the tagged packets.', {
      default: 'OpaqueRef:NULL',
    }),
    untagged_PIF: field(
      t.ref('PIF'),
      'DynamicRO',
      'miami',
      "PIF at which the packets have no tag; it belongs to the VLAN's network.",
      { default: 'OpaqueRef:NULL' },
    ),
    tag: field(t.int, 'StaticRO', 'miami', 'VLAN tag, from 0 to 4094.', { default: -1 }),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Further data of clients.', { default: {} }),
  },
  messages: {
    pool_introduce: {
      doc: 'Make the record of a VLAN of a joining host.',
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
      doc: 'Create a VLAN with this tag on the PIF for the network.',
      params: { tagged_PIF: t.ref('PIF'), tag: t.int, network: t.ref('network') },
      result: t.ref('VLAN'),
      role: 'pool-operator',
      life: 'miami',
    },
    destroy: {
      doc: 'Delete the VLAN and its untagged PIF; no VM may use it.',
      params: { self: t.ref('VLAN') },
      result: t.none,
      role: 'pool-operator',
      life: 'miami',
    },
  },
});
