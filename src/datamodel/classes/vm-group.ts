/** XenAPI class `VM_group`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const VM_group = cls({
  name: 'VM_group',
  doc: 'VM group.',
  life: 'prototyped 24.19.1',
  lifecycle: true,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'vm-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    name_label: field(t.string, 'RW', 'rio', 'Name label.', { default: '' }),
    name_description: field(t.string, 'RW', 'rio', 'Name description.', { default: '' }),
    placement: field(e.placement_policy, 'StaticRO', 'prototyped 24.19.1', 'Placement.', { default: 'normal' }),
    VMs: field(t.set(t.ref('VM')), 'DynamicRO', 'prototyped 24.19.1', 'VMs.', { mirrors: 'VM.groups' }),
  },
  messages: {},
});
