/** XenAPI class `SM`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const SM = cls({
  name: 'SM',
  doc: 'SM.',
  life: 'rio',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    name_label: field(t.string, 'DynamicRO', 'rio', 'Name label.', { default: '' }),
    name_description: field(t.string, 'DynamicRO', 'rio', 'Name description.', { default: '' }),
    type: field(t.string, 'DynamicRO', 'rio', 'Type.'),
    vendor: field(t.string, 'DynamicRO', 'rio', 'Vendor.'),
    copyright: field(t.string, 'DynamicRO', 'rio', 'Copyright.'),
    version: field(t.string, 'DynamicRO', 'rio', 'Version.'),
    required_api_version: field(t.string, 'DynamicRO', 'rio', 'Required api version.'),
    configuration: field(t.map(t.string, t.string), 'DynamicRO', 'rio', 'Configuration.'),
    capabilities: field(t.set(t.string), 'DynamicRO', 'published miami; deprecated clearwater', 'Capabilities.', {
      default: [],
    }),
    features: field(t.map(t.string, t.int), 'DynamicRO', 'published clearwater; changed 24.37.0', 'Features.', {
      default: {},
    }),
    host_pending_features: field(
      t.map(t.ref('host'), t.set(t.string)),
      'DynamicRO',
      'prototyped 24.37.0',
      'Host pending features.',
      { default: {}, internal: true },
    ),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Other config.', { default: {} }),
    driver_filename: field(t.string, 'DynamicRO', 'orlando', 'Driver filename.', { default: '' }),
    required_cluster_stack: field(t.set(t.string), 'DynamicRO', 'dundee', 'Required cluster stack.', { default: [] }),
    supported_image_formats: field(
      t.set(e.image_format_type),
      'DynamicRO',
      'prototyped 26.15.0',
      'Supported image formats.',
      { default: [] },
    ),
  },
  messages: {},
});
