/** XenAPI class `PIF_metrics`. */
import { cls, field, t } from '../dsl.ts';

export const PIF_metrics = cls({
  name: 'PIF_metrics',
  doc: 'Measurements of a PIF and facts about its hardware.',
  life: 'rio',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  tags: ['networking'],
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the metrics.'),
    io_read_kbs: field(
      t.float,
      'DynamicRO',
      'published rio; deprecated tampa; removed tampa',
      'Former rate of incoming traffic in KiB/s; read the RRDs instead.',
      {
        default: 0,
        persistent: false,
      },
    ),
    io_write_kbs: field(
      t.float,
      'DynamicRO',
      'published rio; deprecated tampa; removed tampa',
      'Former rate of outgoing traffic in KiB/s; read the RRDs instead.',
      {
        default: 0,
        persistent: false,
      },
    ),
    carrier: field(t.bool, 'DynamicRO', 'rio', 'True when the link is up.'),
    vendor_id: field(t.string, 'DynamicRO', 'rio', 'PCI number of the vendor.'),
    vendor_name: field(t.string, 'DynamicRO', 'rio', 'Name of the vendor.'),
    device_id: field(t.string, 'DynamicRO', 'rio', 'PCI number of the device.'),
    device_name: field(t.string, 'DynamicRO', 'rio', 'Name of the device.'),
    speed: field(t.int, 'DynamicRO', 'rio', 'Speed of the link in Mbit/s; 0 when it is down.'),
    duplex: field(t.bool, 'DynamicRO', 'rio', 'True for full duplex.'),
    pci_bus_path: field(t.string, 'DynamicRO', 'rio', 'PCI address of the device.'),
    last_updated: field(t.datetime, 'DynamicRO', 'rio', 'When these values were last written, in UTC.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'orlando', 'Further data of clients.', { default: {} }),
  },
  messages: {},
});
