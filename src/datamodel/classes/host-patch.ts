/** XenAPI class `host_patch`. */
import { cls, field, t } from '../dsl.ts';

export const host_patch = cls({
  name: 'host_patch',
  doc: 'host patch.',
  life: 'published rio; deprecated ely',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    name_label: field(t.string, 'StaticRO', 'rio', 'Name label.', { default: '' }),
    name_description: field(t.string, 'StaticRO', 'rio', 'Name description.', { default: '' }),
    version: field(t.string, 'StaticRO', 'rio', 'Version.'),
    host: field(t.ref('host'), 'StaticRO', 'rio', 'Host.'),
    filename: field(t.string, 'DynamicRO', 'rio', 'Filename.', { internal: true }),
    applied: field(t.bool, 'DynamicRO', 'rio', 'Applied.'),
    timestamp_applied: field(t.datetime, 'DynamicRO', 'rio', 'Timestamp applied.'),
    size: field(t.int, 'DynamicRO', 'rio', 'Size.'),
    pool_patch: field(t.ref('pool_patch'), 'StaticRO', 'miami', 'Pool patch.', { default: 'OpaqueRef:NULL' }),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Other config.', { default: {} }),
  },
  messages: {
    destroy: {
      doc: 'Destroy of this host patch.',
      params: { self: t.ref('host_patch') },
      result: t.none,
      role: 'pool-operator',
      life: 'published rio; deprecated miami',
    },
    apply: {
      doc: 'Apply of this host patch.',
      params: { self: t.ref('host_patch') },
      result: t.string,
      role: 'pool-operator',
      life: 'published rio; deprecated miami',
    },
  },
});
