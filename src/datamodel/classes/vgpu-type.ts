/** XenAPI class `VGPU_type`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const VGPU_type = cls({
  name: 'VGPU_type',
  doc: 'A kind of virtual GPU with given size and limits.',
  life: 'vgpu-tech-preview',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'vgpu-tech-preview', 'UUID of the type.'),
    vendor_name: field(t.string, 'StaticRO', 'vgpu-tech-preview', 'Name of the vendor.', { default: '' }),
    model_name: field(t.string, 'StaticRO', 'vgpu-tech-preview', 'Name of the model.', { default: '' }),
    framebuffer_size: field(t.int, 'StaticRO', 'vgpu-tech-preview', 'Video memory in bytes.', { default: 0 }),
    max_heads: field(t.int, 'StaticRO', 'vgpu-tech-preview', 'Most displays that a guest can use.', { default: 0 }),
    max_resolution_x: field(t.int, 'StaticRO', 'vgpu-productisation', 'Greatest width of a display in pixels.', {
      default: 0,
    }),
    max_resolution_y: field(t.int, 'StaticRO', 'vgpu-productisation', 'Greatest height of a display in pixels.', {
      default: 0,
    }),
    size: field(
      t.int,
      'StaticRO',
      'vgpu-tech-preview',
      'Share of a physical GPU that one takes, in units of PGPU.size.',
      { default: 0, internal: true },
    ),
    supported_on_PGPUs: field(
      t.set(t.ref('PGPU')),
      'DynamicRO',
      'vgpu-tech-preview',
      'Physical GPUs that can provide the type.',
      {
        mirrors: 'PGPU.supported_VGPU_types',
      },
    ),
    enabled_on_PGPUs: field(
      t.set(t.ref('PGPU')),
      'DynamicRO',
      'vgpu-tech-preview',
      'Physical GPUs on which the type is allowed.',
      {
        mirrors: 'PGPU.enabled_VGPU_types',
      },
    ),
    VGPUs: field(t.set(t.ref('VGPU')), 'DynamicRO', 'vgpu-tech-preview', 'Virtual GPUs of the type.', {
      from: 'VGPU.type',
    }),
    internal_config: field(
      t.map(t.string, t.string),
      'StaticRO',
      'vgpu-tech-preview',
      'Settings that the emulator needs for the type.',
      {
        default: {},
        internal: true,
      },
    ),
    supported_on_GPU_groups: field(
      t.set(t.ref('GPU_group')),
      'DynamicRO',
      'vgpu-productisation',
      'Groups with a GPU that can provide the type.',
      { mirrors: 'GPU_group.supported_VGPU_types' },
    ),
    enabled_on_GPU_groups: field(
      t.set(t.ref('GPU_group')),
      'DynamicRO',
      'vgpu-productisation',
      'Groups with a GPU on which the type is allowed.',
      { mirrors: 'GPU_group.enabled_VGPU_types' },
    ),
    implementation: field(
      e.vgpu_type_implementation,
      'StaticRO',
      'dundee',
      'How the type works, such as `passthrough` or `nvidia_sriov`.',
      {
        default: 'passthrough',
      },
    ),
    identifier: field(t.string, 'StaticRO', 'dundee', 'Key that is the same for the same type on all hosts.', {
      default: '',
    }),
    experimental: field(t.bool, 'StaticRO', 'dundee', 'True when the type is not fully supported.', { default: false }),
    compatible_types_in_vm: field(
      t.set(t.ref('VGPU_type')),
      'DynamicRO',
      'quebec',
      'Types that a VM may have together with this one.',
      {
        default: [],
        dangling: true,
      },
    ),
    compatible_types_on_pgpu: field(
      t.set(t.ref('VGPU_type')),
      'DynamicRO',
      'quebec',
      'Types that a physical GPU can serve together with this one.',
      {
        default: [],
        internal: true,
        dangling: true,
      },
    ),
  },
  messages: {},
});
