/** XenAPI class `network_sriov`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const network_sriov = cls({
  name: 'network_sriov',
  doc: 'SR-IOV on a PIF, which lets VMs use virtual functions of the card.',
  life: 'kolkata',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the SR-IOV network.'),
    physical_PIF: field(t.ref('PIF'), 'StaticRO', 'kolkata', 'PIF whose card has the virtual functions.', {
      default: 'OpaqueRef:NULL',
    }),
    logical_PIF: field(
      t.ref('PIF'),
      'StaticRO',
      'kolkata',
      'PIF that stands for the virtual functions in a network of their own.',
      { default: 'OpaqueRef:NULL' },
    ),
    requires_reboot: field(
      t.bool,
      'DynamicRO',
      'kolkata',
      'True when the host must reboot for SR-IOV to be turned on or off.',
      { default: false },
    ),
    configuration_mode: field(
      e.sriov_configuration_mode,
      'DynamicRO',
      'kolkata',
      'How the number of virtual functions is set on the card.',
      {
        default: 'unknown',
      },
    ),
  },
  messages: {
    create: {
      doc: 'Turn SR-IOV on for a physical PIF and connect its virtual functions to the network.',
      params: { pif: t.ref('PIF'), network: t.ref('network') },
      result: t.ref('network_sriov'),
      role: 'pool-operator',
      life: 'kolkata',
    },
    destroy: {
      doc: 'Turn SR-IOV off and delete the logical PIF.',
      params: { self: t.ref('network_sriov') },
      result: t.none,
      role: 'pool-operator',
      life: 'kolkata',
    },
    get_remaining_capacity: {
      doc: 'Return the number of free virtual functions.',
      params: { self: t.ref('network_sriov') },
      result: t.int,
      role: 'read-only',
      life: 'kolkata',
    },
  },
});
