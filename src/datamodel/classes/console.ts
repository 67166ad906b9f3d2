/** XenAPI class `console`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const console = cls({
  name: 'console',
  doc: 'A console of a VM: its screen or a text terminal.',
  life: 'rio',
  lifecycle: true,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'vm-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the console.'),
    protocol: field(
      e.console_protocol,
      'DynamicRO',
      'rio',
      '`rfb` for a graphical screen, `vt100` for text, `rdp` for remote desktop.',
    ),
    location: field(
      t.string,
      'DynamicRO',
      'rio',
      'URL to connect to with a session; it leads to the host that runs the VM.',
    ),
    VM: field(t.ref('VM'), 'DynamicRO', 'rio', 'VM that has the console.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'rio', 'Further data of clients.'),
    port: field(t.int, 'RW', 'rio', 'Port on the host at which the device model serves the console, or -1.', {
      internal: true,
    }),
  },
  messages: {},
});
