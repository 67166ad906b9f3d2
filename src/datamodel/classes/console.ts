/** XenAPI class `console`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const console = cls({
  name: 'console',
  doc: 'console.',
  life: 'rio',
  lifecycle: true,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'vm-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    protocol: field(e.console_protocol, 'DynamicRO', 'rio', 'Protocol.'),
    location: field(t.string, 'DynamicRO', 'rio', 'Location.'),
    VM: field(t.ref('VM'), 'DynamicRO', 'rio', 'VM.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'rio', 'Other config.'),
    port: field(t.int, 'RW', 'rio', 'Port.', { internal: true }),
  },
  messages: {},
});
