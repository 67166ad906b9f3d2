/** XenAPI class `Bond`. */
import { cls, field, opt, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const Bond = cls({
  name: 'Bond',
  doc: 'Several PIFs of a host joined into one, for speed or safety.',
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
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the bond.'),
    master: field(t.ref('PIF'), 'StaticRO', 'miami', 'PIF that stands for the bond as a whole.', {
      default: 'OpaqueRef:NULL',
    }),
    slaves: field(t.set(t.ref('PIF')), 'DynamicRO', 'miami', 'PIFs that are members of the bond.', {
      from: 'PIF.bond_slave_of',
    }),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Further data of clients.', { default: {} }),
    primary_slave: field(
      t.ref('PIF'),
      'DynamicRO',
      'boston',
      'Member that gave the bond its MAC address and IP settings; null if the MAC was given.',
      { default: 'OpaqueRef:NULL' },
    ),
    mode: field(
      e.bond_mode,
      'DynamicRO',
      'boston',
      'How traffic is shared: `balance-slb`, `active-backup` or `lacp`.',
      { default: 'balance-slb' },
    ),
    properties: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'tampa',
      'Options of the mode, such as `hashing_algorithm` for `lacp`.',
      { default: {} },
    ),
    links_up: field(t.int, 'DynamicRO', 'tampa', 'Number of members whose link is up.', { default: 0 }),
    auto_update_mac: field(
      t.bool,
      'DynamicRO',
      'quebec',
      'True when the MAC address of the bond follows its primary member.',
      { default: true },
    ),
  },
  messages: {
    create: {
      doc: 'Join PIFs of one host into a bond on the network; an empty MAC takes that of the primary member.',
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
      doc: 'Dissolve the bond, giving its IP settings and VLANs to the primary member.',
      params: { self: t.ref('Bond') },
      result: t.none,
      role: 'pool-operator',
      life: 'miami',
    },
    set_mode: {
      doc: 'Set how the bond shares traffic.',
      params: { self: t.ref('Bond'), value: e.bond_mode },
      result: t.none,
      role: 'pool-operator',
      life: 'boston',
    },
    set_property: {
      doc: 'Set an option of the mode.',
      params: { self: t.ref('Bond'), name: t.string, value: t.string },
      result: t.none,
      role: 'pool-operator',
      life: 'tampa',
    },
  },
});
