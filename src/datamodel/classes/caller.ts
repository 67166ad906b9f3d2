/** XenAPI class `Caller`. */
import { cls, field, t } from '../dsl.ts';

export const Caller = cls({
  name: 'Caller',
  doc: 'A client program, as told by user agent and address, whose calls are counted and limited.',
  life: 'prototyped 26.17.0',
  lifecycle: true,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'prototyped 26.17.0', 'UUID of the caller.'),
    name_label: field(t.string, 'RW', 'prototyped 26.17.0', 'Name shown to users; need not be unique.', {
      default: '',
    }),
    name_description: field(t.string, 'RW', 'prototyped 26.17.0', 'Free text about the caller for people.', {
      default: '',
    }),
    user_agent: field(
      t.string,
      'StaticRO',
      'prototyped 26.17.0',
      'User agent that the client sends; empty matches any.',
      { default: '' },
    ),
    client_ip: field(
      t.string,
      'StaticRO',
      'prototyped 26.17.0',
      'Address that the client calls from; empty matches any.',
      { default: '' },
    ),
    last_access: field(
      t.datetime,
      'DynamicRO',
      'prototyped 26.17.0',
      'When the client last called, in UTC; 1 January 1970 means never.',
      {
        default: '19700101T00:00:00Z',
      },
    ),
    groups: field(
      t.set(t.string),
      'DynamicRO',
      'prototyped 26.17.0',
      'Names of the groups that the caller is counted in.',
      { default: [] },
    ),
    rate_limit: field(
      t.ref('Rate_limit'),
      'DynamicRO',
      'prototyped 26.17.0',
      'Rate limit that applies to the caller, or null.',
      {
        default: 'OpaqueRef:NULL',
      },
    ),
    auto_registered: field(
      t.bool,
      'DynamicRO',
      'prototyped 26.17.0',
      "True when the server made the record on the client's first call.",
      { default: false },
    ),
  },
  messages: {
    add_group: {
      doc: 'Count the caller in a group.',
      params: { self: t.ref('Caller'), group: t.string },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped 26.17.0',
    },
    remove_group: {
      doc: 'Stop counting the caller in a group.',
      params: { self: t.ref('Caller'), group: t.string },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped 26.17.0',
    },
    query_token_usage: {
      doc: "Return the tokens that the caller's calls have cost.",
      params: { self: t.ref('Caller') },
      result: t.float,
      role: 'pool-operator',
      life: 'prototyped 26.15.0',
    },
    query_call_count: {
      doc: 'Return the number of calls that the caller has made.',
      params: { self: t.ref('Caller') },
      result: t.int,
      role: 'pool-operator',
      life: 'prototyped 26.15.0',
    },
    query_group_token_usage: {
      doc: 'Return the tokens that the calls of a group have cost.',
      params: { group: t.string },
      result: t.float,
      role: 'pool-operator',
      life: 'prototyped 26.15.0',
    },
    query_group_call_count: {
      doc: 'Return the number of calls that a group has made.',
      params: { group: t.string },
      result: t.int,
      role: 'pool-operator',
      life: 'prototyped 26.15.0',
    },
    query_all_usage: {
      doc: 'Return calls and tokens of all callers, a row for each.',
      params: {},
      result: t.set(t.set(t.string)),
      role: 'pool-operator',
      life: 'prototyped 26.17.0',
    },
  },
});
