/** XenAPI class `host_patch`. */
import { cls, field, t } from '../dsl.ts';

export const host_patch = cls({
  name: 'host_patch',
  doc: 'A patch in the old format as it is on one host; see pool_update.',
  life: 'published rio; deprecated ely',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the patch on the host.'),
    name_label: field(t.string, 'StaticRO', 'rio', 'Name of the patch.', { default: '' }),
    name_description: field(t.string, 'StaticRO', 'rio', 'What the patch does.', { default: '' }),
    version: field(t.string, 'StaticRO', 'rio', 'Version of the patch.'),
    host: field(t.ref('host'), 'StaticRO', 'rio', 'Host that has the patch.'),
    filename: field(t.string, 'DynamicRO', 'rio', 'File on the host that holds the patch.', { internal: true }),
    applied: field(t.bool, 'DynamicRO', 'rio', 'True when the patch has been applied.'),
    timestamp_applied: field(t.datetime, 'DynamicRO', 'rio', 'When the patch was applied, in UTC.'),
    size: field(t.int, 'DynamicRO', 'rio', 'Size of the patch in bytes.'),
    pool_patch: field(t.ref('pool_patch'), 'StaticRO', 'miami', 'Patch of the pool that this one is an instance of.', {
      default: 'OpaqueRef:NULL',
    }),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Further data of clients.', { default: {} }),
  },
  messages: {
    destroy: {
      doc: 'Delete the file of the patch from the host.',
      params: { self: t.ref('host_patch') },
      result: t.none,
      role: 'pool-operator',
      life: 'published rio; deprecated miami',
    },
    apply: {
      doc: 'Apply the patch to the host and return what its installer printed.',
      params: { self: t.ref('host_patch') },
      result: t.string,
      role: 'pool-operator',
      life: 'published rio; deprecated miami',
    },
  },
});
