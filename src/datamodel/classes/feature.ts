/** XenAPI class `Feature`. */
import { cls, field, t } from '../dsl.ts';

export const Feature = cls({
  name: 'Feature',
  doc: 'Feature.',
  life: 'falcon',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'local-root',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'falcon', 'Uuid.'),
    name_label: field(t.string, 'StaticRO', 'rio', 'Name label.', { default: '' }),
    name_description: field(t.string, 'StaticRO', 'rio', 'Name description.', { default: '' }),
    enabled: field(t.bool, 'DynamicRO', 'falcon', 'Enabled.', { default: false }),
    experimental: field(t.bool, 'StaticRO', 'falcon', 'Experimental.', { default: false }),
    version: field(t.string, 'StaticRO', 'falcon', 'Version.', { default: '1.0' }),
    host: field(t.ref('host'), 'DynamicRO', 'falcon', 'Host.'),
  },
  messages: {},
});
