/** XenAPI class `GPU_group`. */
import { cls, field, opt, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const GPU_group = cls({
  name: 'GPU_group',
  doc: 'A group of like GPUs of the pool, any of which can serve a virtual GPU.',
  life: 'boston',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'boston', 'UUID of the group.'),
    name_label: field(t.string, 'RW', 'boston', 'Name shown to users; need not be unique.', { default: '' }),
    name_description: field(t.string, 'RW', 'boston', 'Free text about the group for people.', { default: '' }),
    PGPUs: field(t.set(t.ref('PGPU')), 'DynamicRO', 'boston', 'Physical GPUs of the group.', {
      from: 'PGPU.GPU_group',
    }),
    VGPUs: field(t.set(t.ref('VGPU')), 'DynamicRO', 'boston', 'Virtual GPUs that the group serves.', {
      from: 'VGPU.GPU_group',
    }),
    GPU_types: field(t.set(t.string), 'DynamicRO', 'boston', 'Vendor and device numbers of the GPUs in the group.', {
      default: [],
    }),
    other_config: field(t.map(t.string, t.string), 'RW', 'boston', 'Further data of clients.', { default: {} }),
    allocation_algorithm: field(
      e.allocation_algorithm,
      'RW',
      'vgpu-tech-preview',
      'Which GPU gets the next virtual GPU: the fullest with `depth_first`, else the emptiest.',
      {
        default: 'depth_first',
      },
    ),
    supported_VGPU_types: field(
      t.set(t.ref('VGPU_type')),
      'DynamicRO',
      'vgpu-productisation',
      'Types of virtual GPU that some GPU of the group can provide.',
      { mirrors: 'VGPU_type.supported_on_GPU_groups' },
    ),
    enabled_VGPU_types: field(
      t.set(t.ref('VGPU_type')),
      'DynamicRO',
      'vgpu-productisation',
      'Types of virtual GPU that may be placed on some GPU of the group.',
      {
        mirrors: 'VGPU_type.enabled_on_GPU_groups',
      },
    ),
  },
  messages: {
    create: {
      doc: 'Make an empty group.',
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
      doc: 'Delete a group that has neither physical nor virtual GPUs.',
      params: { self: t.ref('GPU_group') },
      result: t.none,
      role: 'pool-operator',
      life: 'boston',
    },
    update_enabled_VGPU_types: {
      doc: 'Compute enabled_VGPU_types from the GPUs of the group.',
      params: { self: t.ref('GPU_group') },
      result: t.none,
      role: 'pool-operator',
      life: 'vgpu-productisation',
      hidden: true,
    },
    update_supported_VGPU_types: {
      doc: 'Compute supported_VGPU_types from the GPUs of the group.',
      params: { self: t.ref('GPU_group') },
      result: t.none,
      role: 'pool-operator',
      life: 'vgpu-productisation',
      hidden: true,
    },
    get_remaining_capacity: {
      doc: 'Return how many more virtual GPUs of this type the group can serve now.',
      params: { self: t.ref('GPU_group'), vgpu_type: t.ref('VGPU_type') },
      result: t.int,
      role: 'read-only',
      life: 'vgpu-tech-preview',
    },
  },
});
