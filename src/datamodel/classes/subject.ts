/** XenAPI class `subject`. */
import { cls, field, t } from '../dsl.ts';

export const subject = cls({
  name: 'subject',
  doc: 'subject.',
  life: 'george',
  lifecycle: true,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    subject_identifier: field(t.string, 'StaticRO', 'george', 'Subject identifier.', { default: '' }),
    other_config: field(t.map(t.string, t.string), 'StaticRO', 'george', 'Other config.', { default: {} }),
    roles: field(t.set(t.ref('role')), 'DynamicRO', 'midnight-ride', 'Roles.', {
      default: ['OpaqueRef:0165f154-ba3e-034e-6b27-5d271af109ba'],
      dangling: true,
    }),
  },
  messages: {
    add_to_roles: {
      doc: 'Add to roles of this subject.',
      params: { self: t.ref('subject'), role: t.ref('role') },
      result: t.none,
      role: 'pool-admin',
      life: 'midnight-ride',
      sync: true,
    },
    remove_from_roles: {
      doc: 'Remove from roles of this subject.',
      params: { self: t.ref('subject'), role: t.ref('role') },
      result: t.none,
      role: 'pool-admin',
      life: 'midnight-ride',
      sync: true,
    },
    get_permissions_name_label: {
      doc: 'Get permissions name label of this subject.',
      params: { self: t.ref('subject') },
      result: t.set(t.string),
      role: 'read-only',
      life: 'midnight-ride',
      sync: true,
    },
  },
});
