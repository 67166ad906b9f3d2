/** XenAPI class `blob`. */
import { cls, field, opt, t } from '../dsl.ts';

export const blob = cls({
  name: 'blob',
  doc: 'Binary data stored with an object, transferred by HTTP.',
  life: 'orlando',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the blob.'),
    name_label: field(t.string, 'RW', 'rio', 'Name shown to users; need not be unique.', { default: '' }),
    name_description: field(t.string, 'RW', 'rio', 'Free text about the blob for people.', { default: '' }),
    size: field(t.int, 'DynamicRO', 'rio', 'Size in bytes.'),
    public: field(t.bool, 'RW', 'tampa', 'True when the data can be read without a login.', { default: false }),
    last_updated: field(t.datetime, 'StaticRO', 'rio', 'When the data were last written, in UTC.'),
    mime_type: field(t.string, 'StaticRO', 'rio', 'Type of the data, such as `image/png`.'),
  },
  messages: {
    create: {
      doc: 'Make an empty blob that belongs to no object.',
      params: { mime_type: t.string, public: opt(t.bool, false, 'tampa') },
      result: t.ref('blob'),
      role: 'pool-operator',
      life: 'orlando',
      sync: true,
    },
    destroy: {
      doc: 'Delete the blob and its data.',
      params: { self: t.ref('blob') },
      result: t.none,
      role: 'pool-operator',
      life: 'orlando',
      sync: true,
    },
  },
});
