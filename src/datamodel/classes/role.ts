/** XenAPI class `role`. */
import { cls, field, t } from '../dsl.ts';

export const role = cls({
  name: 'role',
  doc: 'A set of permissions, or one permission.',
  life: 'midnight-ride',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the role.'),
    name_label: field(t.string, 'StaticRO', 'midnight-ride', 'Name of the role or permission.', { default: '' }),
    name_description: field(t.string, 'StaticRO', 'midnight-ride', 'What the role is meant for.', { default: '' }),
    subroles: field(
      t.set(t.ref('role')),
      'StaticRO',
      'midnight-ride',
      'Roles and permissions that the role contains; none for a permission.',
      { default: [], dangling: true },
    ),
    is_internal: field(
      t.bool,
      'DynamicRO',
      '22.5.0',
      'True for permissions, which user interfaces do not offer to give to subjects.',
      { default: false },
    ),
  },
  messages: {
    get_permissions: {
      doc: 'List all permissions that the role contains, also by way of others.',
      params: { self: t.ref('role') },
      result: t.set(t.ref('role')),
      role: 'read-only',
      life: 'midnight-ride',
      sync: true,
    },
    get_permissions_name_label: {
      doc: 'List the names of all permissions that the role contains.',
      params: { self: t.ref('role') },
      result: t.set(t.string),
      role: 'read-only',
      life: 'midnight-ride',
      sync: true,
    },
    get_by_permission: {
      doc: 'List the roles that contain the permission.',
      params: { permission: t.ref('role') },
      result: t.set(t.ref('role')),
      role: 'read-only',
      life: 'midnight-ride',
      sync: true,
    },
    get_by_permission_name_label: {
      doc: 'List the roles that contain the permission with this name.',
      params: { label: t.string },
      result: t.set(t.ref('role')),
      role: 'read-only',
      life: 'midnight-ride',
      sync: true,
    },
  },
});
