/** XenAPI class `GPU_group`. */
import { cls, field, opt, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const GPU_group = cls({
  name: 'GPU_group',
  doc: 'GPU group.',
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
    name_label: field(t.string, 'RW', 'boston', 'Name label.', { default: '' }),
    name_description: field(t.string, 'RW', 'boston', 'Name description.', { default: '' }),
    PGPUs: field(t.set(t.ref('PGPU')), 'DynamicRO', 'boston', 'PGPUs.', { from: 'PGPU.GPU_group' }),
    VGPUs: field(t.set(t.ref('VGPU')), 'DynamicRO', 'boston', 'VGPUs.', { from: 'VGPU.GPU_group' }),
    GPU_types: field(t.set(t.string), 'DynamicRO', 'boston', 'GPU types.', { default: [] }),
    other_config: field(t.map(t.string, t.string), 'RW', 'boston', 'Other config.', { default: {} }),
    allocation_algorithm: field(e.allocation_algorithm, 'RW', 'vgpu-tech-preview', 'Allocation algorithm.', {
      default: 'depth_first',
    }),
    supported_VGPU_types: field(
      t.set(t.ref('VGPU_type')),
      'DynamicRO',
      'vgpu-productisation',
      'Supported VGPU types.',
      { mirrors: 'VGPU_type.supported_on_GPU_groups' },
    ),
    enabled_VGPU_types: field(t.set(t.ref('VGPU_type')), 'DynamicRO', 'vgpu-productisation', 'Enabled VGPU types.', {
      mirrors: 'VGPU_type.enabled_on_GPU_groups',
    }),
  },
  messages: {
    create: {
      doc: 'Create of this GPU group.',
      params: {
        name_label: opt(t.string, ''),
        name_description: opt(t.string, ''),
        other_config: opt(t.map(t.string, t.string), {}),
      },
      result: t.ref('GPU_group'),
      role: 'pool-operator',
      life: 'boston',
    },
    destroy: {
      doc: 'Destroy of this GPU group.',
      params: { self: t.ref('GPU_group') },
      result: t.none,
      role: 'pool-operator',
      life: 'boston',
    },
    update_enabled_VGPU_types: {
      doc: 'Update enabled VGPU types of this GPU group.',
      params: { self: t.ref('GPU_group') },
      result: t.none,
      role: 'pool-operator',
      life: 'vgpu-productisation',
      hidden: true,
    },
    update_supported_VGPU_types: {
      doc: 'Update supported VGPU types of this GPU group.',
      params: { self: t.ref('GPU_group') },
      result: t.none,
      role: 'pool-operator',
      life: 'vgpu-productisation',
      hidden: true,
    },
    get_remaining_capacity: {
      doc: 'Get remaining capacity of this GPU group.',
      params: { self: t.ref('GPU_group'), vgpu_type: t.ref('VGPU_type') },
      result: t.int,
      role: 'read-only',
      life: 'vgpu-tech-preview',
    },
  },
});
