/** XenAPI class `VM_metrics`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const VM_metrics = cls({
  name: 'VM_metrics',
  doc: 'VM metrics.',
  life: 'rio',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'vm-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    memory_actual: field(t.int, 'DynamicRO', 'rio', 'Memory actual.', { persistent: false }),
    VCPUs_number: field(t.int, 'DynamicRO', 'rio', 'VCPUs number.'),
    VCPUs_utilisation: field(
      t.map(t.int, t.float),
      'DynamicRO',
      'published rio; deprecated tampa; removed tampa',
      'VCPUs utilisation.',
      { default: {}, persistent: false },
    ),
    VCPUs_CPU: field(t.map(t.int, t.int), 'DynamicRO', 'rio', 'VCPUs CPU.', { persistent: false }),
    VCPUs_params: field(t.map(t.string, t.string), 'DynamicRO', 'rio', 'VCPUs params.', { persistent: false }),
    VCPUs_flags: field(t.map(t.int, t.set(t.string)), 'DynamicRO', 'rio', 'VCPUs flags.', { persistent: false }),
    state: field(t.set(t.string), 'DynamicRO', 'rio', 'State.', { persistent: false }),
    start_time: field(t.datetime, 'DynamicRO', 'rio', 'Start time.'),
    install_time: field(t.datetime, 'DynamicRO', 'rio', 'Install time.'),
    last_updated: field(t.datetime, 'DynamicRO', 'rio', 'Last updated.', { persistent: false }),
    other_config: field(t.map(t.string, t.string), 'RW', 'orlando', 'Other config.', {
      default: {},
      persistent: false,
    }),
    hvm: field(t.bool, 'DynamicRO', 'ely', 'Hvm.', { default: false, persistent: false }),
    nested_virt: field(t.bool, 'DynamicRO', 'ely', 'Nested virt.', { default: false, persistent: false }),
    nomigrate: field(t.bool, 'DynamicRO', 'ely', 'Nomigrate.', { default: false, persistent: false }),
    current_domain_type: field(
      e.domain_type,
      'DynamicRO',
      'prototyped jura; published kolkata',
      'Current domain type.',
      { default: 'unspecified' },
    ),
    numa_optimised: field(t.bool, 'StaticRO', 'prototyped 26.2.0', 'Numa optimised.', { default: false }),
    numa_nodes: field(t.int, 'StaticRO', 'prototyped 26.2.0', 'Numa nodes.', { default: 0 }),
    numa_node_memory: field(t.map(t.int, t.int), 'DynamicRO', 'prototyped 26.2.0', 'Numa node memory.', {
      default: {},
    }),
  },
  messages: {},
});
