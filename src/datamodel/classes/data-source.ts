/** XenAPI class `data_source`. */
import { cls, field, t } from '../dsl.ts';

export const data_source = cls({
  name: 'data_source',
  doc: 'data source.',
  life: 'orlando',
  lifecycle: false,
  events: false,
  persistent: false,
  inDatabase: false,
  getAll: false,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    name_label: field(t.string, 'DynamicRO', 'rio', 'Name label.', { default: '' }),
    name_description: field(t.string, 'DynamicRO', 'rio', 'Name description.', { default: '' }),
    enabled: field(t.bool, 'DynamicRO', 'rio', 'Enabled.'),
    standard: field(t.bool, 'DynamicRO', 'rio', 'Standard.'),
    units: field(t.string, 'DynamicRO', 'rio', 'Units.'),
    min: field(t.float, 'DynamicRO', 'rio', 'Min.'),
    max: field(t.float, 'DynamicRO', 'rio', 'Max.'),
    value: field(t.float, 'DynamicRO', 'rio', 'Value.'),
  },
  messages: {},
});
