/** XenAPI class `auth`. */
import { cls, t } from '../dsl.ts';

export const auth = cls({
  name: 'auth',
  doc: 'Questions to the external directory about users and groups.',
  life: 'george',
  lifecycle: false,
  events: false,
  persistent: false,
  inDatabase: false,
  getAll: false,
  role: 'read-only',
  readRole: 'read-only',
  fields: {},
  messages: {
    get_subject_identifier: {
      doc: "Return the directory's identifier of the user or group with this name.",
      params: { subject_name: t.string },
      result: t.string,
      role: 'read-only',
      life: 'george',
      sync: true,
    },
    get_subject_information_from_identifier: {
      doc: 'Return what the directory knows of a user or group, such as its names.',
      params: { subject_identifier: t.string },
      result: t.map(t.string, t.string),
      role: 'read-only',
      life: 'george',
      sync: true,
    },
    get_group_membership: {
      doc: 'List the identifiers of all groups that the user or group belongs to, also by way of others.',
      params: { subject_identifier: t.string },
      result: t.set(t.string),
      role: 'read-only',
      life: 'george',
      sync: true,
    },
  },
});
