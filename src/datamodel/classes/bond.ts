/** XenAPI class `Bond`. */
import { cls, field, opt, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const Bond = cls({
  name: 'Bond',
  doc: 'Bond.',
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
    master: field(t.ref('PIF'), 'StaticRO', 'miami', 'Master.', { default: 'OpaqueRef:NULL' }),
    slaves: field(t.set(t.ref('PIF')), 'DynamicRO', 'miami', 'Slaves.', { from: 'PIF.bond_slave_of' }),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Other config.', { default: {} }),
    primary_slave: field(t.ref('PIF'), 'DynamicRO', 'boston', 'Primary slave.', { default: 'OpaqueRef:NULL' }),
    mode: field(e.bond_mode, 'DynamicRO', 'boston', 'Mode.', { default: 'balance-slb' }),
    properties: field(t.map(t.string, t.string), 'DynamicRO', 'tampa', 'Properties.', { default: {} }),
    links_up: field(t.int, 'DynamicRO', 'tampa', 'Links up.', { default: 0 }),
    auto_update_mac: field(t.bool, 'DynamicRO', 'quebec', 'Auto update mac.', { default: true }),
  },
  messages: {
    create: {
      doc: 'Create of this Bond.',
      params: {
        network: t.ref('network'),
        members: t.set(t.ref('PIF')),
        MAC: t.string,
        mode: opt(e.bond_mode, 'balance-slb', 'boston'),
        properties: opt(t.map(t.string, t.string), {}, 'tampa'),
      },
      result: t.ref('Bond'),
      role: 'pool-operator',
      life: 'miami',
    },
    destroy: {
      doc: 'Destroy of this Bond.',
      params: { self: t.ref('Bond') },
      result: t.none,
      role: 'pool-operator',
      life: 'miami',
    },
    set_mode: {
      doc: 'Set mode of this Bond.',
      params: { self: t.ref('Bond'), value: e.bond_mode },
      result: t.none,
      role: 'pool-operator',
      life: 'boston',
    },
    set_property: {
      doc: 'Set property of this Bond.',
      params: { self: t.ref('Bond'), name: t.string, value: t.string },
      result: t.none,
      role: 'pool-operator',
      life: 'tampa',
    },
  },
});
