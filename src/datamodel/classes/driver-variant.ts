/** XenAPI class `Driver_variant`. */
import { cls, field, t } from '../dsl.ts';

export const Driver_variant = cls({
  name: 'Driver_variant',
  doc: 'Driver variant.',
  life: 'prototyped 25.2.0',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'Uuid.'),
    name: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'Name.'),
    driver: field(t.ref('Host_driver'), 'DynamicRO', 'prototyped 25.2.0', 'Driver.'),
    version: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'Version.'),
    hardware_present: field(t.bool, 'DynamicRO', 'prototyped 25.2.0', 'Hardware present.'),
    priority: field(t.float, 'DynamicRO', 'prototyped 25.2.0', 'Priority.'),
    status: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'Status.'),
  },
  messages: {
    select: {
      doc: 'Select of this Driver variant.',
      params: { self: t.ref('Driver_variant') },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 25.2.0',
    },
  },
});
