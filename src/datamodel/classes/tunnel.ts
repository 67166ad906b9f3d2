/** XenAPI class `tunnel`. */
import { cls, field, opt, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const tunnel = cls({
  name: 'tunnel',
  doc: 'tunnel.',
  life: 'cowley',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  tags: ['networking'],
  fields: {
    uuid: field(t.string, 'DynamicRO', 'cowley', 'Uuid.'),
    access_PIF: field(t.ref('PIF'), 'StaticRO', 'cowley', 'Access PIF.', { default: 'OpaqueRef:NULL' }),
    transport_PIF: field(t.ref('PIF'), 'StaticRO', 'cowley', 'Transport PIF.', { default: 'OpaqueRef:NULL' }),
    status: field(t.map(t.string, t.string), 'RW', 'cowley', 'Status.', { default: { active: 'false' } }),
    other_config: field(t.map(t.string, t.string), 'RW', 'cowley', 'Other config.', { default: {} }),
    protocol: field(e.tunnel_protocol, 'RW', '1.250.0', 'Protocol.', { default: 'gre' }),
  },
  messages: {
    create: {
      doc: 'Create of this tunnel.',
      params: {
        transport_PIF: t.ref('PIF'),
        network: t.ref('network'),
        protocol: opt(e.tunnel_protocol, 'gre', '1.250.0'),
      },
      result: t.ref('tunnel'),
      role: 'pool-operator',
      life: 'cowley',
      errors: ['OPENVSWITCH_NOT_ACTIVE', 'TRANSPORT_PIF_NOT_CONFIGURED', 'IS_TUNNEL_ACCESS_PIF'],
    },
    destroy: {
      doc: 'Destroy of this tunnel.',
      params: { self: t.ref('tunnel') },
      result: t.none,
      role: 'pool-operator',
      life: 'cowley',
    },
  },
});
