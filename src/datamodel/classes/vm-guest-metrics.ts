/** XenAPI class `VM_guest_metrics`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const VM_guest_metrics = cls({
  name: 'VM_guest_metrics',
  doc: 'VM guest metrics.',
  life: 'rio',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'vm-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    os_version: field(t.map(t.string, t.string), 'DynamicRO', 'rio', 'Os version.'),
    netbios_name: field(t.map(t.string, t.string), 'DynamicRO', 'prototyped 24.28.0', 'Netbios name.', { default: {} }),
    PV_drivers_version: field(t.map(t.string, t.string), 'DynamicRO', 'rio', 'PV drivers version.'),
    PV_drivers_up_to_date: field(t.bool, 'DynamicRO', 'published rio; deprecated dundee', 'PV drivers up to date.'),
    memory: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'published rio; deprecated george; removed george',
      'Memory.',
      { default: {} },
    ),
    disks: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'published rio; deprecated orlando; removed orlando',
      'Disks.',
      { default: {} },
    ),
    networks: field(t.map(t.string, t.string), 'DynamicRO', 'rio', 'Networks.'),
    other: field(t.map(t.string, t.string), 'DynamicRO', 'rio', 'Other.'),
    last_updated: field(t.datetime, 'DynamicRO', 'rio', 'Last updated.'),
    other_config: field(t.map(t.string, t.string), 'RW', 'orlando', 'Other config.', { default: {} }),
    live: field(t.bool, 'DynamicRO', 'orlando', 'Live.', { default: false }),
    can_use_hotplug_vbd: field(e.tristate_type, 'DynamicRO', 'dundee', 'Can use hotplug vbd.', {
      default: 'unspecified',
    }),
    can_use_hotplug_vif: field(e.tristate_type, 'DynamicRO', 'dundee', 'Can use hotplug vif.', {
      default: 'unspecified',
    }),
    PV_drivers_detected: field(t.bool, 'DynamicRO', 'dundee', 'PV drivers detected.', { default: false }),
    services: field(t.map(t.string, t.string), 'DynamicRO', 'prototyped 25.15.0', 'Services.', { default: {} }),
  },
  messages: {},
});
