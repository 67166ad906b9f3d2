/** XenAPI class `SDN_controller`. */
import { cls, field, opt, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const SDN_controller = cls({
  name: 'SDN_controller',
  doc: "The server that controls the pool's Open vSwitches.",
  life: 'falcon',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'falcon', 'UUID of the record.'),
    protocol: field(
      e.sdn_controller_protocol,
      'StaticRO',
      'falcon',
      'Whether hosts connect to the controller (`ssl`) or wait for it to connect (`pssl`).',
      { default: 'ssl' },
    ),
    address: field(t.string, 'StaticRO', 'falcon', 'IP address of the controller; empty for `pssl`.', { default: '' }),
    port: field(t.int, 'StaticRO', 'falcon', 'TCP port; 0 takes the usual one.', { default: 0 }),
  },
  messages: {
    introduce: {
      doc: 'Make the Open vSwitches of all hosts follow a controller; there can be one only.',
      params: { protocol: opt(e.sdn_controller_protocol, 'ssl'), address: opt(t.string, ''), port: opt(t.int, 0) },
      result: t.ref('SDN_controller'),
      role: 'pool-operator',
      life: 'falcon',
    },
    forget: {
      doc: 'Stop following the controller.',
      params: { self: t.ref('SDN_controller') },
      result: t.none,
      role: 'pool-operator',
      life: 'falcon',
    },
  },
});
