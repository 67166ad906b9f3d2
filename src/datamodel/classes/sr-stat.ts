/** XenAPI class `sr_stat`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const sr_stat = cls({
  name: 'sr_stat',
  doc: 'What probing tells about an SR that exists on the storage.',
  life: 'prototyped kolkata; published lima; extended 24.17.0',
  lifecycle: false,
  events: false,
  persistent: false,
  inDatabase: false,
  getAll: false,
  role: 'local-root',
  readRole: 'read-only',
  fields: {
    uuid: field(
      t.option(t.string),
      'DynamicRO',
      'prototyped kolkata; published lima; extended 24.17.0',
      'UUID of the SR, absent when it has none yet.',
    ),
    name_label: field(t.string, 'DynamicRO', 'prototyped kolkata; published lima; extended 24.17.0', 'Name of the SR.'),
    name_description: field(
      t.string,
      'DynamicRO',
      'prototyped kolkata; published lima; extended 24.17.0',
      'Description of the SR.',
    ),
    free_space: field(
      t.int,
      'DynamicRO',
      'prototyped kolkata; published lima; extended 24.17.0',
      'Free space in bytes.',
    ),
    total_space: field(
      t.int,
      'DynamicRO',
      'prototyped kolkata; published lima; extended 24.17.0',
      'Whole space in bytes.',
    ),
    clustered: field(
      t.bool,
      'DynamicRO',
      'prototyped kolkata; published lima; extended 24.17.0',
      'True when the SR needs the cluster of the pool.',
    ),
    health: field(e.sr_health, 'DynamicRO', 'prototyped kolkata; published lima; extended 24.17.0', 'State of the SR.'),
  },
  messages: {},
});
