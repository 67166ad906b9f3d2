/** XenAPI class `probe_result`. */
import { cls, field, t } from '../dsl.ts';

export const probe_result = cls({
  name: 'probe_result',
  doc: 'One thing that SR.probe_ext found.',
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
      'Settings with which to create a PBD or to probe further.',
    ),
    complete: field(
      t.bool,
      'DynamicRO',
      'prototyped kolkata; published lima',
      'True when the settings suffice to attach or create an SR.',
    ),
    sr: field(
      t.option(t.record('sr_stat')),
      'DynamicRO',
      'prototyped kolkata; published lima',
      'SR that exists there, absent when there is none.',
    ),
    extra_info: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'prototyped kolkata; published lima',
      'Further facts for people, such as the size and vendor of a LUN.',
    ),
  },
  messages: {},
});
