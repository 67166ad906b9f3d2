/** XenAPI class `role`. */
import { cls, field, t } from '../dsl.ts';

export const role = cls({
  name: 'role',
  doc: 'role.',
  life: 'midnight-ride',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    name_label: field(t.string, 'StaticRO', 'midnight-ride', 'Name label.', { default: '' }),
    name_description: field(t.string, 'StaticRO', 'midnight-ride', 'Name description.', { default: '' }),
    subroles: field(t.set(t.ref('role')), 'StaticRO', 'midnight-ride', 'Subroles.', { default: [], dangling: true }),
    is_internal: field(t.bool, 'DynamicRO', '22.5.0', 'Is internal.', { default: false }),
  },
  messages: {
    get_permissions: {
      doc: 'Get permissions of this role.',
      params: { self: t.ref('role') },
      result: t.set(t.ref('role')),
      role: 'read-only',
      life: 'midnight-ride',
      sync: true,
    },
    get_permissions_name_label: {
      doc: 'Get permissions name label of this role.',
      params: { self: t.ref('role') },
      result: t.set(t.string),
      role: 'read-only',
      life: 'midnight-ride',
      sync: true,
    },
    get_by_permission: {
      doc: 'Get by permission of this role.',
      params: { permission: t.ref('role') },
      result: t.set(t.ref('role')),
      role: 'read-only',
      life: 'midnight-ride',
      sync: true,
    },
    get_by_permission_name_label: {
      doc: 'Get by permission name label of this role.',
      params: { label: t.string },
      result: t.set(t.ref('role')),
      role: 'read-only',
      life: 'midnight-ride',
      sync: true,
    },
  },
});
