/** XenAPI class `Rate_limit`. */
import { cls, field, t } from '../dsl.ts';

export const Rate_limit = cls({
  name: 'Rate_limit',
  doc: 'A limit on how fast callers may use the API, as a bucket of tokens.',
  life: 'prototyped 26.17.0',
  lifecycle: true,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'prototyped 26.17.0', 'UUID of the rate limit.'),
    name_label: field(t.string, 'RW', 'prototyped 26.17.0', 'Name shown to users; need not be unique.', {
      default: '',
    }),
    name_description: field(t.string, 'RW', 'prototyped 26.17.0', 'Free text about the rate limit for people.', {
      default: '',
    }),
    callers: field(t.set(t.ref('Caller')), 'DynamicRO', 'prototyped 26.17.0', 'Callers that share the limit.', {
      from: 'Caller.rate_limit',
    }),
    burst_size: field(
      t.float,
      'StaticRO',
      'prototyped 26.17.0',
      'Most tokens that the bucket holds, and so the greatest burst.',
      { default: 0 },
    ),
    fill_rate: field(t.float, 'StaticRO', 'prototyped 26.17.0', 'Tokens added to the bucket each second.', {
      default: 0,
    }),
  },
  messages: {
    add_caller: {
      doc: 'Put a caller under the limit.',
      params: { self: t.ref('Rate_limit'), caller: t.ref('Caller') },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 26.17.0',
    },
    remove_caller: {
      doc: 'Take a caller out of the limit.',
      params: { self: t.ref('Rate_limit'), caller: t.ref('Caller') },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 26.17.0',
    },
    set_burst_size: {
      doc: 'Set the most tokens that the bucket holds.',
      params: { self: t.ref('Rate_limit'), value: t.float },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 26.17.0',
    },
    set_fill_rate: {
      doc: 'Set the tokens added to the bucket each second.',
      params: { self: t.ref('Rate_limit'), value: t.float },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 26.17.0',
    },
  },
});
