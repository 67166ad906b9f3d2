/** XenAPI class `PIF_metrics`. */
import { cls, field, t } from '../dsl.ts';

export const PIF_metrics = cls({
  name: 'PIF_metrics',
  doc: 'PIF metrics.',
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
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    io_read_kbs: field(t.float, 'DynamicRO', 'published rio; deprecated tampa; removed tampa', 'Io read kbs.', {
      default: 0,
      persistent: false,
    }),
    io_write_kbs: field(t.float, 'DynamicRO', 'published rio; deprecated tampa; removed tampa', 'Io write kbs.', {
      default: 0,
      persistent: false,
    }),
    carrier: field(t.bool, 'DynamicRO', 'rio', 'Carrier.'),
    vendor_id: field(t.string, 'DynamicRO', 'rio', 'Vendor id.'),
    vendor_name: field(t.string, 'DynamicRO', 'rio', 'Vendor name.'),
    device_id: field(t.string, 'DynamicRO', 'rio', 'Device id.'),
    device_name: field(t.string, 'DynamicRO', 'rio', 'Device name.'),
    speed: field(t.int, 'DynamicRO', 'rio', 'Speed.'),
    duplex: field(t.bool, 'DynamicRO', 'rio', 'Duplex.'),
    pci_bus_path: field(t.string, 'DynamicRO', 'rio', 'Pci bus path.'),
    last_updated: field(t.datetime, 'DynamicRO', 'rio', 'Last updated.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'orlando', 'Other config.', { default: {} }),
  },
  messages: {},
});
