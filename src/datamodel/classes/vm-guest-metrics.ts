/** XenAPI class `VM_guest_metrics`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const VM_guest_metrics = cls({
  name: 'VM_guest_metrics',
  doc: 'What the agent in a guest reports.',
  life: 'rio',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'vm-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the metrics.'),
    os_version: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'rio',
      'Operating system of the guest: `name`, `uname`, `distro`, `major`, `minor`.',
    ),
    netbios_name: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'prototyped 24.28.0',
      'NetBIOS names of a Windows guest, such as `host_name` and `domain_name`.',
      { default: {} },
    ),
    PV_drivers_version: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'rio',
      'Version of the PV drivers: `major`, `minor`, `micro`, `build`.',
    ),
    PV_drivers_up_to_date: field(
      t.bool,
      'DynamicRO',
      'published rio; deprecated dundee',
      'Former sign of current PV drivers; same as PV_drivers_detected.',
    ),
    memory: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'published rio; deprecated george; removed george',
      'Former report of memory in use; read the RRDs instead.',
      { default: {} },
    ),
    disks: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'published rio; deprecated orlando; removed orlando',
      'Former report of disk space in use.',
      { default: {} },
    ),
    networks: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'rio',
      'Addresses of the guest by interface, with keys such as `0/ip` and `0/ipv6/0`.',
    ),
    other: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'rio',
      'Other reports, such as `feature-suspend` for what the guest can do.',
    ),
    last_updated: field(t.datetime, 'DynamicRO', 'rio', "When the agent's report last changed, in UTC."),
    other_config: field(t.map(t.string, t.string), 'RW', 'orlando', 'Further data of clients.', { default: {} }),
    live: field(t.bool, 'DynamicRO', 'orlando', 'True when the agent has reported since the guest started.', {
      default: false,
    }),
    can_use_hotplug_vbd: field(
      e.tristate_type,
      'DynamicRO',
      'dundee',
      'Whether disks can be attached to the running guest.',
      {
        default: 'unspecified',
      },
    ),
    can_use_hotplug_vif: field(
      e.tristate_type,
      'DynamicRO',
      'dundee',
      'Whether network interfaces can be attached to the running guest.',
      {
        default: 'unspecified',
      },
    ),
    PV_drivers_detected: field(
      t.bool,
      'DynamicRO',
      'dundee',
      'True when at least one PV device of the guest is connected.',
      { default: false },
    ),
    services: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'prototyped 25.15.0',
      'Services that run in the guest, with facts about each.',
      { default: {} },
    ),
  },
  messages: {},
});
