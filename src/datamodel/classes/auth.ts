/** XenAPI class `auth`. */
import { cls, t } from '../dsl.ts';

export const auth = cls({
  name: 'auth',
  doc: 'auth.',
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
      doc: 'Get subject identifier of this auth.',
      params: { subject_name: t.string },
      result: t.string,
      role: 'read-only',
      life: 'george',
      sync: true,
    },
    get_subject_information_from_identifier: {
      doc: 'Get subject information from identifier of this auth.',
      params: { subject_identifier: t.string },
      result: t.map(t.string, t.string),
      role: 'read-only',
      life: 'george',
      sync: true,
    },
    get_group_membership: {
      doc: 'Get group membership of this auth.',
      params: { subject_identifier: t.string },
      result: t.set(t.string),
      role: 'read-only',
      life: 'george',
      sync: true,
    },
  },
});
