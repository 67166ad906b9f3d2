/** XenAPI class `host_cpu`. */
import { cls, field, t } from '../dsl.ts';

export const host_cpu = cls({
  name: 'host_cpu',
  doc: 'One physical CPU of a host; host.cpu_info tells more.',
  life: 'published rio; deprecated midnight-ride',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the CPU.'),
    host: field(t.ref('host'), 'DynamicRO', 'rio', 'Host that has the CPU.'),
    number: field(t.int, 'DynamicRO', 'rio', 'Number of the CPU on its host, from 0.'),
    vendor: field(t.string, 'DynamicRO', 'rio', 'Maker of the CPU.'),
    speed: field(t.int, 'DynamicRO', 'rio', 'Speed of the CPU in MHz.'),
    modelname: field(t.string, 'DynamicRO', 'rio', 'Name of the model.'),
    family: field(t.int, 'DynamicRO', 'rio', 'Family number of the CPU.'),
    model: field(t.int, 'DynamicRO', 'rio', 'Model number of the CPU.'),
    stepping: field(t.string, 'DynamicRO', 'rio', 'Stepping of the CPU.'),
    flags: field(t.string, 'DynamicRO', 'rio', 'Features of the CPU by name, as the kernel lists them.'),
    features: field(t.string, 'DynamicRO', 'rio', 'Features of the CPU as bits in hexadecimal.'),
    utilisation: field(t.float, 'DynamicRO', 'rio', 'Share of time in use, from 0 to 1.', { persistent: false }),
    other_config: field(t.map(t.string, t.string), 'RW', 'orlando', 'Further data of clients.', { default: {} }),
  },
  messages: {},
});
