/** XenAPI class `probe_result`. */
import { cls, field, t } from '../dsl.ts';

export const probe_result = cls({
  name: 'probe_result',
  doc: 'probe result.',
  life: 'prototyped kolkata; published lima',
  lifecycle: false,
  events: false,
  persistent: false,
  inDatabase: false,
  getAll: false,
  role: 'local-root',
  readRole: 'read-only',
  fields: {
    configuration: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'prototyped kolkata; published lima',
      'Configuration.',
    ),
    complete: field(t.bool, 'DynamicRO', 'prototyped kolkata; published lima', 'Complete.'),
    sr: field(t.option(t.record('sr_stat')), 'DynamicRO', 'prototyped kolkata; published lima', 'Sr.'),
    extra_info: field(t.map(t.string, t.string), 'DynamicRO', 'prototyped kolkata; published lima', 'Extra info.'),
  },
  messages: {},
});
