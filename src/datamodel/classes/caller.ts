/** XenAPI class `Caller`. */
import { cls, field, t } from '../dsl.ts';

export const Caller = cls({
  name: 'Caller',
  doc: 'Caller.',
  life: 'prototyped 26.17.0',
  lifecycle: true,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'prototyped 26.17.0', 'Uuid.'),
    name_label: field(t.string, 'RW', 'prototyped 26.17.0', 'Name label.', { default: '' }),
    name_description: field(t.string, 'RW', 'prototyped 26.17.0', 'Name description.', { default: '' }),
    user_agent: field(t.string, 'StaticRO', 'prototyped 26.17.0', 'User agent.', { default: '' }),
    client_ip: field(t.string, 'StaticRO', 'prototyped 26.17.0', 'Client ip.', { default: '' }),
    last_access: field(t.datetime, 'DynamicRO', 'prototyped 26.17.0', 'Last access.', {
      default: '19700101T00:00:00Z',
    }),
    groups: field(t.set(t.string), 'DynamicRO', 'prototyped 26.17.0', 'Groups.', { default: [] }),
    rate_limit: field(t.ref('Rate_limit'), 'DynamicRO', 'prototyped 26.17.0', 'Rate limit.', {
      default: 'OpaqueRef:NULL',
    }),
    auto_registered: field(t.bool, 'DynamicRO', 'prototyped 26.17.0', 'Auto registered.', { default: false }),
  },
  messages: {
    add_group: {
      doc: 'Add group of this Caller.',
      params: { self: t.ref('Caller'), group: t.string },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped 26.17.0',
    },
    remove_group: {
      doc: 'Remove group of this Caller.',
      params: { self: t.ref('Caller'), group: t.string },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped 26.17.0',
    },
    query_token_usage: {
      doc: 'Query token usage of this Caller.',
      params: { self: t.ref('Caller') },
      result: t.float,
      role: 'pool-operator',
      life: 'prototyped 26.15.0',
    },
    query_call_count: {
      doc: 'Query call count of this Caller.',
      params: { self: t.ref('Caller') },
      result: t.int,
      role: 'pool-operator',
      life: 'prototyped 26.15.0',
    },
    query_group_token_usage: {
      doc: 'Query group token usage of this Caller.',
      params: { group: t.string },
      result: t.float,
      role: 'pool-operator',
      life: 'prototyped 26.15.0',
    },
    query_group_call_count: {
      doc: 'Query group call count of this Caller.',
      params: { group: t.string },
      result: t.int,
      role: 'pool-operator',
      life: 'prototyped 26.15.0',
    },
    query_all_usage: {
      doc: 'Query all usage of this Caller.',
      params: {},
      result: t.set(t.set(t.string)),
      role: 'pool-operator',
      life: 'prototyped 26.17.0',
    },
  },
});
