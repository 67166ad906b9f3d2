/** XenAPI class `SM`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const SM = cls({
  name: 'SM',
  doc: 'A storage driver that SRs can use.',
  life: 'rio',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the storage driver.'),
    name_label: field(t.string, 'DynamicRO', 'rio', 'Name of the driver for people.', { default: '' }),
    name_description: field(t.string, 'DynamicRO', 'rio', 'What the driver does.', { default: '' }),
    type: field(t.string, 'DynamicRO', 'rio', 'Name by which SRs choose the driver.'),
    vendor: field(t.string, 'DynamicRO', 'rio', 'Maker of the driver.'),
    copyright: field(t.string, 'DynamicRO', 'rio', 'Copyright notice of the driver.'),
    version: field(t.string, 'DynamicRO', 'rio', 'Version of the driver.'),
    required_api_version: field(t.string, 'DynamicRO', 'rio', 'Version of the driver interface that the driver needs.'),
    configuration: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'rio',
      'Keys that device_config of a PBD may have, with explanations.',
    ),
    capabilities: field(
      t.set(t.string),
      'DynamicRO',
      'published miami; deprecated clearwater',
      'Former list of what the driver can do; use features.',
      {
        default: [],
      },
    ),
    features: field(
      t.map(t.string, t.int),
      'DynamicRO',
      'published clearwater; changed 24.37.0',
      'What the driver can do, such as `VDI_SNAPSHOT`, with the version of each.',
      {
        default: {},
      },
    ),
    host_pending_features: field(
      t.map(t.ref('host'), t.set(t.string)),
      'DynamicRO',
      'prototyped 24.37.0',
      'Features that some hosts lack as yet, which keeps the pool from using them.',
      { default: {}, internal: true },
    ),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Further settings, and data of clients.', {
      default: {},
    }),
    driver_filename: field(t.string, 'DynamicRO', 'orlando', 'File of the driver on the host.', { default: '' }),
    required_cluster_stack: field(
      t.set(t.string),
      'DynamicRO',
      'dundee',
      'Cluster software, one of which must run for the driver to work; none for no need.',
      { default: [] },
    ),
    supported_image_formats: field(
      t.set(e.image_format_type),
      'DynamicRO',
      'prototyped 26.15.0',
      'Disk image formats that the driver can write.',
      { default: [] },
    ),
  },
  messages: {},
});
