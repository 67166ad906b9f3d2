/** XenAPI class `Host_driver`. */
import { cls, field, t } from '../dsl.ts';

export const Host_driver = cls({
  name: 'Host_driver',
  doc: 'Host driver.',
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
    host: field(t.ref('host'), 'StaticRO', 'prototyped 25.2.0', 'Host.', { default: 'OpaqueRef:NULL' }),
    name: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'Name.'),
    friendly_name: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'Friendly name.'),
    variants: field(t.set(t.ref('Driver_variant')), 'DynamicRO', 'prototyped 25.2.0', 'Variants.', {
      from: 'Driver_variant.driver',
    }),
    active_variant: field(t.ref('Driver_variant'), 'DynamicRO', 'prototyped 25.2.0', 'Active variant.'),
    selected_variant: field(t.ref('Driver_variant'), 'DynamicRO', 'prototyped 25.2.0', 'Selected variant.'),
    type: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'Type.'),
    description: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'Description.'),
    info: field(t.string, 'DynamicRO', 'prototyped 25.2.0', 'Info.'),
  },
  messages: {
    select: {
      doc: 'Select of this Host driver.',
      params: { self: t.ref('Host_driver'), variant: t.ref('Driver_variant') },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 25.2.0',
    },
    deselect: {
      doc: 'Deselect of this Host driver.',
      params: { self: t.ref('Host_driver') },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 25.2.0',
    },
    rescan: {
      doc: 'Rescan of this Host driver.',
      params: { host: t.ref('host') },
      result: t.none,
      role: 'pool-admin',
      life: 'prototyped 25.2.0',
    },
  },
});
