/** XenAPI class `Rate_limit`. */
import { cls, field, t } from '../dsl.ts';

export const Rate_limit = cls({
  name: 'Rate_limit',
  doc: 'Rate limit.',
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
    callers: field(t.set(t.ref('Caller')), 'DynamicRO', 'prototyped 26.17.0', 'Callers.', {
      from: 'Caller.rate_limit',
    }),
    burst_size: field(t.float, 'StaticRO', 'prototyped 26.17.0', 'Burst size.', { default: 0 }),
    fill_rate: field(t.float, 'StaticRO', 'prototyped 26.17.0', 'Fill rate.', { default: 0 }),
  },
  messages: {
    add_caller: {
      doc: 'Add caller of this Rate limit.',
      params: { self: t.ref('Rate_limit'), caller: t.ref('Caller') },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 26.17.0',
    },
    remove_caller: {
      doc: 'Remove caller of this Rate limit.',
      params: { self: t.ref('Rate_limit'), caller: t.ref('Caller') },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 26.17.0',
    },
    set_burst_size: {
      doc: 'Set burst size of this Rate limit.',
      params: { self: t.ref('Rate_limit'), value: t.float },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 26.17.0',
    },
    set_fill_rate: {
      doc: 'Set fill rate of this Rate limit.',
      params: { self: t.ref('Rate_limit'), value: t.float },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 26.17.0',
    },
  },
});
