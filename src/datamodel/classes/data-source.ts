/** XenAPI class `data_source`. */
import { cls, field, t } from '../dsl.ts';

export const data_source = cls({
  name: 'data_source',
  doc: 'One metric of a host, VM or SR.',
  life: 'orlando',
  lifecycle: false,
  events: false,
  persistent: false,
  inDatabase: false,
  getAll: false,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    name_label: field(t.string, 'DynamicRO', 'rio', 'Name of the metric, such as `cpu0`.', { default: '' }),
    name_description: field(t.string, 'DynamicRO', 'rio', 'What the metric measures.', { default: '' }),
    enabled: field(t.bool, 'DynamicRO', 'rio', 'True when its history is being recorded.'),
    standard: field(t.bool, 'DynamicRO', 'rio', 'True when its history is recorded unless asked otherwise.'),
    units: field(t.string, 'DynamicRO', 'rio', 'Unit of the values.'),
    min: field(t.float, 'DynamicRO', 'rio', 'Least possible value.'),
    max: field(t.float, 'DynamicRO', 'rio', 'Greatest possible value.'),
    value: field(t.float, 'DynamicRO', 'rio', 'Latest value.'),
  },
  messages: {},
});
