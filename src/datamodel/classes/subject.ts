/** XenAPI class `subject`. */
import { cls, field, t } from '../dsl.ts';

export const subject = cls({
  name: 'subject',
  doc: 'A user or group of the external directory that may log in.',
  life: 'george',
  lifecycle: true,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the subject.'),
    subject_identifier: field(
      t.string,
      'StaticRO',
      'george',
      'Identifier of the user or group in the external directory; unique in the pool.',
      { default: '' },
    ),
    other_config: field(
      t.map(t.string, t.string),
      'StaticRO',
      'george',
      'Facts from the external directory, such as `subject-name`.',
      { default: {} },
    ),
    roles: field(
      t.set(t.ref('role')),
      'DynamicRO',
      'midnight-ride',
      'Roles of the subject; a subject without roles cannot log in.',
      {
        default: ['OpaqueRef:0165f154-ba3e-034e-6b27-5d271af109ba'],
        dangling: true,
      },
    ),
  },
  messages: {
    add_to_roles: {
      doc: 'Give the subject a role; fails if it has the role already.',
      params: { self: t.ref('subject'), role: t.ref('role') },
      result: t.none,
      role: 'pool-admin',
      life: 'midnight-ride',
      sync: true,
    },
    remove_from_roles: {
      doc: 'Take a role from the subject; fails if it has not got the role.',
      params: { self: t.ref('subject'), role: t.ref('role') },
      result: t.none,
      role: 'pool-admin',
      life: 'midnight-ride',
      sync: true,
    },
    get_permissions_name_label: {
      doc: 'List the names of all permissions that the roles of the subject contain.',
      params: { self: t.ref('subject') },
      result: t.set(t.string),
      role: 'read-only',
      life: 'midnight-ride',
      sync: true,
    },
  },
});
