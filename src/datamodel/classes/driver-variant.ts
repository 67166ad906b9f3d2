/** XenAPI class `Driver_variant`. */
import { cls, field, t } from '../dsl.ts';

export const Driver_variant = cls({
  name: 'Driver_variant',
  doc: 'A variant of a driver on a host.',
  life: 'prototyped 25.2.0',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'UUID of the variant.'),
    name: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'Name of the variant; unique within its driver.'),
    driver: field(t.ref('Host_driver'), 'DynamicRO', 'prototyped 25.2.0', 'Driver that it is a variant of.'),
    version: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'Version of the variant.'),
    hardware_present: field(
      t.bool,
      'DynamicRO',
      'prototyped 25.2.0',
      'True when the host has hardware that the variant drives.',
    ),
    priority: field(t.float, 'DynamicRO', 'prototyped 25.2.0', 'Rank among the variants; the highest is preferred.'),
    status: field(
      t.string,
      'DynamicRO',
      'prototyped 25.2.0',
      'Maturity of the variant, such as `production` or `beta`.',
    ),
  },
  messages: {
    select: {
      doc: 'Choose this variant for its driver from the next reboot.',
      params: { self: t.ref('Driver_variant') },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 25.2.0',
    },
  },
});
