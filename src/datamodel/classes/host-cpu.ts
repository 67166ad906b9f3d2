/** XenAPI class `host_cpu`. */
import { cls, field, t } from '../dsl.ts';

export const host_cpu = cls({
  name: 'host_cpu',
  doc: 'host cpu.',
  life: 'published rio; deprecated midnight-ride',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    host: field(t.ref('host'), 'DynamicRO', 'rio', 'Host.'),
    number: field(t.int, 'DynamicRO', 'rio', 'Number.'),
    vendor: field(t.string, 'DynamicRO', 'rio', 'Vendor.'),
    speed: field(t.int, 'DynamicRO', 'rio', 'Speed.'),
    modelname: field(t.string, 'DynamicRO', 'rio', 'Modelname.'),
    family: field(t.int, 'DynamicRO', 'rio', 'Family.'),
    model: field(t.int, 'DynamicRO', 'rio', 'Model.'),
    stepping: field(t.string, 'DynamicRO', 'rio', 'Stepping.'),
    flags: field(t.string, 'DynamicRO', 'rio', 'Flags.'),
    features: field(t.string, 'DynamicRO', 'rio', 'Features.'),
    utilisation: field(t.float, 'DynamicRO', 'rio', 'Utilisation.', { persistent: false }),
    other_config: field(t.map(t.string, t.string), 'RW', 'orlando', 'Other config.', { default: {} }),
  },
  messages: {},
});
