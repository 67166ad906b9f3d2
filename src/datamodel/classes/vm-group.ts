/** XenAPI class `VM_group`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const VM_group = cls({
  name: 'VM_group',
  doc: 'A group of VMs with a common rule for placing them.',
  life: 'prototyped 24.19.1',
  lifecycle: true,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'vm-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the group.'),
    name_label: field(t.string, 'RW', 'rio', 'Name shown to users; need not be unique.', { default: '' }),
    name_description: field(t.string, 'RW', 'rio', 'Free text about the group for people.', { default: '' }),
    placement: field(
      e.placement_policy,
      'StaticRO',
      'prototyped 24.19.1',
      'Rule of placement: `anti_affinity` spreads the VMs over hosts, `normal` does nothing.',
      { default: 'normal' },
    ),
    VMs: field(t.set(t.ref('VM')), 'DynamicRO', 'prototyped 24.19.1', 'VMs of the group.', { mirrors: 'VM.groups' }),
  },
  messages: {},
});
