/** XenAPI class `VGPU`. */
import { cls, field, opt, t } from '../dsl.ts';

export const VGPU = cls({
  name: 'VGPU',
  doc: 'VGPU.',
  life: 'boston',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'boston', 'Uuid.'),
    VM: field(t.ref('VM'), 'DynamicRO', 'boston', 'VM.'),
    GPU_group: field(t.ref('GPU_group'), 'DynamicRO', 'boston', 'GPU group.'),
    device: field(t.string, 'DynamicRO', 'boston', 'Device.', { default: '0' }),
    currently_attached: field(t.bool, 'DynamicRO', 'boston', 'Currently attached.', { default: false }),
    other_config: field(t.map(t.string, t.string), 'RW', 'boston', 'Other config.', { default: {} }),
    type: field(t.ref('VGPU_type'), 'DynamicRO', 'vgpu-tech-preview', 'Type.', { default: 'OpaqueRef:NULL' }),
    resident_on: field(t.ref('PGPU'), 'DynamicRO', 'vgpu-tech-preview', 'Resident on.', { default: 'OpaqueRef:NULL' }),
    scheduled_to_be_resident_on: field(t.ref('PGPU'), 'DynamicRO', 'dundee', 'Scheduled to be resident on.', {
      default: 'OpaqueRef:NULL',
    }),
    compatibility_metadata: field(t.map(t.string, t.string), 'DynamicRO', 'inverness', 'Compatibility metadata.', {
      default: {},
    }),
    extra_args: field(t.string, 'RW', 'quebec', 'Extra args.', { default: '' }),
    PCI: field(t.ref('PCI'), 'DynamicRO', 'quebec', 'PCI.', { default: 'OpaqueRef:NULL' }),
  },
  messages: {
    create: {
      doc: 'Create of this VGPU.',
      params: {
        VM: t.ref('VM'),
        GPU_group: t.ref('GPU_group'),
        device: opt(t.string, '0'),
        other_config: opt(t.map(t.string, t.string), {}),
        type: opt(t.ref('VGPU_type'), 'OpaqueRef:NULL', 'vgpu-tech-preview'),
      },
      result: t.ref('VGPU'),
      role: 'pool-operator',
      life: 'boston',
    },
    destroy: {
      doc: 'Destroy of this VGPU.',
      params: { self: t.ref('VGPU') },
      result: t.none,
      role: 'pool-operator',
      life: 'boston',
    },
    atomic_set_resident_on: {
      doc: 'Atomic set resident on of this VGPU.',
      params: { self: t.ref('VGPU'), value: t.ref('PGPU') },
      result: t.none,
      role: 'local-root',
      life: 'dundee',
      hidden: true,
      poolInternal: true,
    },
  },
});
