/** XenAPI class `VM_metrics`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const VM_metrics = cls({
  name: 'VM_metrics',
  doc: 'What the host measures of a VM.',
  life: 'rio',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'vm-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the metrics.'),
    memory_actual: field(t.int, 'DynamicRO', 'rio', 'Memory in bytes that the guest has now.', { persistent: false }),
    VCPUs_number: field(t.int, 'DynamicRO', 'rio', 'Number of vCPUs online now.'),
    VCPUs_utilisation: field(
      t.map(t.int, t.float),
      'DynamicRO',
      'published rio; deprecated tampa; removed tampa',
      'Former use of each vCPU, from 0 to 1; read the RRDs instead.',
      { default: {}, persistent: false },
    ),
    VCPUs_CPU: field(t.map(t.int, t.int), 'DynamicRO', 'rio', 'Host CPU on which each vCPU last ran.', {
      persistent: false,
    }),
    VCPUs_params: field(t.map(t.string, t.string), 'DynamicRO', 'rio', 'vCPU scheduler parameters in force.', {
      persistent: false,
    }),
    VCPUs_flags: field(
      t.map(t.int, t.set(t.string)),
      'DynamicRO',
      'rio',
      'State of each vCPU, such as `online` or `blocked`.',
      { persistent: false },
    ),
    state: field(
      t.set(t.string),
      'DynamicRO',
      'rio',
      'State of the domain in the hypervisor, such as `running` or `blocked`.',
      { persistent: false },
    ),
    start_time: field(t.datetime, 'DynamicRO', 'rio', 'When the VM last started, in UTC; 1 January 1970 if never.'),
    install_time: field(t.datetime, 'DynamicRO', 'rio', 'When the VM was installed, in UTC.'),
    last_updated: field(t.datetime, 'DynamicRO', 'rio', 'When these values were last written, in UTC.', {
      persistent: false,
    }),
    other_config: field(t.map(t.string, t.string), 'RW', 'orlando', 'Further data of clients.', {
      default: {},
      persistent: false,
    }),
    hvm: field(t.bool, 'DynamicRO', 'ely', 'True when the domain has hardware virtualisation.', {
      default: false,
      persistent: false,
    }),
    nested_virt: field(
      t.bool,
      'DynamicRO',
      'ely',
      'True when the guest itself uses hardware virtualisation, which rules out migration.',
      { default: false, persistent: false },
    ),
    nomigrate: field(
      t.bool,
      'DynamicRO',
      'ely',
      'True when the domain was started with a feature that rules out migration.',
      { default: false, persistent: false },
    ),
    current_domain_type: field(
      e.domain_type,
      'DynamicRO',
      'prototyped jura; published kolkata',
      'Kind of virtualisation of the domain as it runs; `unspecified` when it does not.',
      { default: 'unspecified' },
    ),
    numa_optimised: field(
      t.bool,
      'StaticRO',
      'prototyped 26.2.0',
      'True when all memory of the domain lies on the NUMA nodes it was placed on.',
      { default: false },
    ),
    numa_nodes: field(t.int, 'StaticRO', 'prototyped 26.2.0', 'Number of NUMA nodes that hold memory of the domain.', {
      default: 0,
    }),
    numa_node_memory: field(
      t.map(t.int, t.int),
      'DynamicRO',
      'prototyped 26.2.0',
      "Bytes of the domain's memory on each NUMA node.",
      {
        default: {},
      },
    ),
  },
  messages: {},
});
