/** XenAPI class `SDN_controller`. */
import { cls, field, opt, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const SDN_controller = cls({
  name: 'SDN_controller',
  doc: 'SDN controller.',
  life: 'falcon',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'falcon', 'Uuid.'),
    protocol: field(e.sdn_controller_protocol, 'StaticRO', 'falcon', 'Protocol.', { default: 'ssl' }),
    address: field(t.string, 'StaticRO', 'falcon', 'Address.', { default: '' }),
    port: field(t.int, 'StaticRO', 'falcon', 'Port.', { default: 0 }),
  },
  messages: {
    introduce: {
      doc: 'Introduce of this SDN controller.',
      params: { protocol: opt(e.sdn_controller_protocol, 'ssl'), address: opt(t.string, ''), port: opt(t.int, 0) },
      result: t.ref('SDN_controller'),
      role: 'pool-operator',
      life: 'falcon',
    },
    forget: {
      doc: 'Forget of this SDN controller.',
      params: { self: t.ref('SDN_controller') },
      result: t.none,
      role: 'pool-operator',
      life: 'falcon',
    },
  },
});
