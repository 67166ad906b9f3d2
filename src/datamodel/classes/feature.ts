/** XenAPI class `Feature`. */
import { cls, field, t } from '../dsl.ts';

export const Feature = cls({
  name: 'Feature',
  doc: 'An optional feature of a host.',
  life: 'falcon',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'local-root',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'falcon', 'UUID of the feature.'),
    name_label: field(t.string, 'StaticRO', 'rio', 'Name of the feature.', { default: '' }),
    name_description: field(t.string, 'StaticRO', 'rio', 'What the feature does.', { default: '' }),
    enabled: field(t.bool, 'DynamicRO', 'falcon', 'True when the feature is on.', { default: false }),
    experimental: field(t.bool, 'StaticRO', 'falcon', 'True when the feature is not fully supported.', {
      default: false,
    }),
    version: field(t.string, 'StaticRO', 'falcon', 'Version of the feature.', { default: '1.0' }),
    host: field(t.ref('host'), 'DynamicRO', 'falcon', 'Host that has the feature.'),
  },
  messages: {},
});
