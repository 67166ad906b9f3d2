/** XenAPI class `blob`. */
import { cls, field, opt, t } from '../dsl.ts';

export const blob = cls({
  name: 'blob',
  doc: 'blob.',
  life: 'orlando',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    name_label: field(t.string, 'RW', 'rio', 'Name label.', { default: '' }),
    name_description: field(t.string, 'RW', 'rio', 'Name description.', { default: '' }),
    size: field(t.int, 'DynamicRO', 'rio', 'Size.'),
    public: field(t.bool, 'RW', 'tampa', 'Public.', { default: false }),
    last_updated: field(t.datetime, 'StaticRO', 'rio', 'Last updated.'),
    mime_type: field(t.string, 'StaticRO', 'rio', 'Mime type.'),
  },
  messages: {
    create: {
      doc: 'Create of this blob.',
      params: { mime_type: t.string, public: opt(t.bool, false, 'tampa') },
      result: t.ref('blob'),
      role: 'pool-operator',
      life: 'orlando',
      sync: true,
    },
    destroy: {
      doc: 'Destroy of this blob.',
      params: { self: t.ref('blob') },
      result: t.none,
      role: 'pool-operator',
      life: 'orlando',
      sync: true,
    },
  },
});
