/** XenAPI class `network_sriov`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const network_sriov = cls({
  name: 'network_sriov',
  doc: 'network sriov.',
  life: 'kolkata',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    physical_PIF: field(t.ref('PIF'), 'StaticRO', 'kolkata', 'Physical PIF.', { default: 'OpaqueRef:NULL' }),
    logical_PIF: field(t.ref('PIF'), 'StaticRO', 'kolkata', 'Logical PIF.', { default: 'OpaqueRef:NULL' }),
    requires_reboot: field(t.bool, 'DynamicRO', 'kolkata', 'Requires reboot.', { default: false }),
    configuration_mode: field(e.sriov_configuration_mode, 'DynamicRO', 'kolkata', 'Configuration mode.', {
      default: 'unknown',
    }),
  },
  messages: {
    create: {
      doc: 'Create of this network sriov.',
      params: { pif: t.ref('PIF'), network: t.ref('network') },
      result: t.ref('network_sriov'),
      role: 'pool-operator',
      life: 'kolkata',
    },
    destroy: {
      doc: 'Destroy of this network sriov.',
      params: { self: t.ref('network_sriov') },
      result: t.none,
      role: 'pool-operator',
      life: 'kolkata',
    },
    get_remaining_capacity: {
      doc: 'Get remaining capacity of this network sriov.',
      params: { self: t.ref('network_sriov') },
      result: t.int,
      role: 'read-only',
      life: 'kolkata',
    },
  },
});
