/** XenAPI class `sr_stat`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const sr_stat = cls({
  name: 'sr_stat',
  doc: 'sr stat.',
  life: 'prototyped kolkata; published lima; extended 24.17.0',
  lifecycle: false,
  events: false,
  persistent: false,
  inDatabase: false,
  getAll: false,
  role: 'local-root',
  readRole: 'read-only',
  fields: {
    uuid: field(t.option(t.string), 'DynamicRO', 'prototyped kolkata; published lima; extended 24.17.0', 'Uuid.'),
    name_label: field(t.string, 'DynamicRO', 'prototyped kolkata; published lima; extended 24.17.0', 'Name label.'),
    name_description: field(
      t.string,
      'DynamicRO',
      'prototyped kolkata; published lima; extended 24.17.0',
      'Name description.',
    ),
    free_space: field(t.int, 'DynamicRO', 'prototyped kolkata; published lima; extended 24.17.0', 'Free space.'),
    total_space: field(t.int, 'DynamicRO', 'prototyped kolkata; published lima; extended 24.17.0', 'Total space.'),
    clustered: field(t.bool, 'DynamicRO', 'prototyped kolkata; published lima; extended 24.17.0', 'Clustered.'),
    health: field(e.sr_health, 'DynamicRO', 'prototyped kolkata; published lima; extended 24.17.0', 'Health.'),
  },
  messages: {},
});
