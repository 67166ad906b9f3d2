/** XenAPI class `tunnel`. */
import { cls, field, opt, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const tunnel = cls({
  name: 'tunnel',
  doc: 'A network link between hosts that carries its packets inside those of another network.',
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
    uuid: field(t.string, 'DynamicRO', 'cowley', 'UUID of the tunnel.'),
    access_PIF: field(t.ref('PIF'), 'StaticRO', 'cowley', 'PIF at which the inner packets appear.', {
      default: 'OpaqueRef:NULL',
    }),
    transport_PIF: field(
      t.ref('PIF'),
      'StaticRO',
      'cowley',
      'PIF that carries the outer packets; it needs an IP address.',
      { default: 'OpaqueRef:NULL' },
    ),
    status: field(
      t.map(t.string, t.string),
      'RW',
      'cowley',
      'State of the tunnel: `active` is `true` or `false`; the SDN controller writes it.',
      { default: { active: 'false' } },
    ),
    other_config: field(t.map(t.string, t.string), 'RW', 'cowley', 'Further data of clients.', { default: {} }),
    protocol: field(e.tunnel_protocol, 'RW', '1.250.0', 'How packets are wrapped: `gre` or `vxlan`.', {
      default: 'gre',
    }),
  },
  messages: {
    create: {
      doc: 'Create a tunnel over the PIF for the network; needs Open vSwitch.',
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
      doc: 'Delete the tunnel and its access PIF.',
      params: { self: t.ref('tunnel') },
      result: t.none,
      role: 'pool-operator',
      life: 'cowley',
    },
  },
});
