/** XenAPI class `Host_driver`. */
import { cls, field, t } from '../dsl.ts';

export const Host_driver = cls({
  name: 'Host_driver',
  doc: 'A driver of a host that comes in several variants.',
  life: 'prototyped 25.2.0',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'UUID of the driver.'),
    host: field(t.ref('host'), 'StaticRO', 'prototyped 25.2.0', 'Host that has the driver.', {
      default: 'OpaqueRef:NULL',
    }),
    name: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'Name of the driver.'),
    friendly_name: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'Name of the driver for people.'),
    variants: field(
      t.set(t.ref('Driver_variant')),
      'DynamicRO',
      'prototyped 25.2.0',
      'Variants of the driver that could be chosen.',
      {
        from: 'Driver_variant.driver',
      },
    ),
    active_variant: field(t.ref('Driver_variant'), 'DynamicRO', 'prototyped 25.2.0', 'Variant in use, or null.'),
    selected_variant: field(
      t.ref('Driver_variant'),
      'DynamicRO',
      'prototyped 25.2.0',
      'Variant that will be used from the next reboot, or null.',
    ),
    type: field(
      t.string,
      'DynamicRO',
      'prototyped 25.2.0',
      'Kind of device that the driver is for, such as `network`.',
    ),
    description: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'What the driver does.'),
    info: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'Further facts about the driver.'),
  },
  messages: {
    select: {
      doc: 'Choose the variant that the host uses from the next reboot.',
      params: { self: t.ref('Host_driver'), variant: t.ref('Driver_variant') },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 25.2.0',
    },
    deselect: {
      doc: 'Choose no variant, so that the driver is not used from the next reboot.',
      params: { self: t.ref('Host_driver') },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 25.2.0',
    },
    rescan: {
      doc: 'Look for drivers and variants on the host and bring the records in line.',
      params: { host: t.ref('host') },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 25.2.0',
    },
  },
});
