/** XenAPI class `VGPU_type`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const VGPU_type = cls({
  name: 'VGPU_type',
  doc: 'VGPU type.',
  life: 'vgpu-tech-preview',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'vgpu-tech-preview', 'Uuid.'),
    vendor_name: field(t.string, 'StaticRO', 'vgpu-tech-preview', 'Vendor name.', { default: '' }),
    model_name: field(t.string, 'StaticRO', 'vgpu-tech-preview', 'Model name.', { default: '' }),
    framebuffer_size: field(t.int, 'StaticRO', 'vgpu-tech-preview', 'Framebuffer size.', { default: 0 }),
    max_heads: field(t.int, 'StaticRO', 'vgpu-tech-preview', 'Max heads.', { default: 0 }),
    max_resolution_x: field(t.int, 'StaticRO', 'vgpu-productisation', 'Max resolution x.', { default: 0 }),
    max_resolution_y: field(t.int, 'StaticRO', 'vgpu-productisation', 'Max resolution y.', { default: 0 }),
    size: field(t.int, 'StaticRO', 'vgpu-tech-preview', 'Size.', { default: 0, internal: true }),
    supported_on_PGPUs: field(t.set(t.ref('PGPU')), 'DynamicRO', 'vgpu-tech-preview', 'Supported on PGPUs.', {
      mirrors: 'PGPU.supported_VGPU_types',
    }),
    enabled_on_PGPUs: field(t.set(t.ref('PGPU')), 'DynamicRO', 'vgpu-tech-preview', 'Enabled on PGPUs.', {
      mirrors: 'PGPU.enabled_VGPU_types',
    }),
    VGPUs: field(t.set(t.ref('VGPU')), 'DynamicRO', 'vgpu-tech-preview', 'VGPUs.', { from: 'VGPU.type' }),
    internal_config: field(t.map(t.string, t.string), 'StaticRO', 'vgpu-tech-preview', 'Internal config.', {
      default: {},
      internal: true,
    }),
    supported_on_GPU_groups: field(
      t.set(t.ref('GPU_group')),
      'DynamicRO',
      'vgpu-productisation',
      'Supported on GPU groups.',
      { mirrors: 'GPU_group.supported_VGPU_types' },
    ),
    enabled_on_GPU_groups: field(
      t.set(t.ref('GPU_group')),
      'DynamicRO',
      'vgpu-productisation',
      'Enabled on GPU groups.',
      { mirrors: 'GPU_group.enabled_VGPU_types' },
    ),
    implementation: field(e.vgpu_type_implementation, 'StaticRO', 'dundee', 'Implementation.', {
      default: 'passthrough',
    }),
    identifier: field(t.string, 'StaticRO', 'dundee', 'Identifier.', { default: '' }),
    experimental: field(t.bool, 'StaticRO', 'dundee', 'Experimental.', { default: false }),
    compatible_types_in_vm: field(t.set(t.ref('VGPU_type')), 'DynamicRO', 'quebec', 'Compatible types in vm.', {
      default: [],
      dangling: true,
    }),
    compatible_types_on_pgpu: field(t.set(t.ref('VGPU_type')), 'DynamicRO', 'quebec', 'Compatible types on pgpu.', {
      default: [],
      internal: true,
      dangling: true,
    }),
  },
  messages: {},
});
