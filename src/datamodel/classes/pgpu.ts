/** XenAPI class `PGPU`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const PGPU = cls({
  name: 'PGPU',
  doc: 'PGPU.',
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
    PCI: field(t.ref('PCI'), 'StaticRO', 'boston', 'PCI.', { default: 'OpaqueRef:NULL' }),
    GPU_group: field(t.ref('GPU_group'), 'StaticRO', 'boston', 'GPU group.', { default: 'OpaqueRef:NULL' }),
    host: field(t.ref('host'), 'DynamicRO', 'boston', 'Host.', { default: 'OpaqueRef:NULL' }),
    other_config: field(t.map(t.string, t.string), 'RW', 'boston', 'Other config.', { default: {} }),
    supported_VGPU_types: field(t.set(t.ref('VGPU_type')), 'DynamicRO', 'vgpu-tech-preview', 'Supported VGPU types.', {
      mirrors: 'VGPU_type.supported_on_PGPUs',
    }),
    enabled_VGPU_types: field(t.set(t.ref('VGPU_type')), 'DynamicRO', 'vgpu-tech-preview', 'Enabled VGPU types.', {
      mirrors: 'VGPU_type.enabled_on_PGPUs',
    }),
    resident_VGPUs: field(t.set(t.ref('VGPU')), 'DynamicRO', 'vgpu-tech-preview', 'Resident VGPUs.', {
      from: 'VGPU.resident_on',
    }),
    size: field(t.int, 'StaticRO', 'vgpu-tech-preview', 'Size.', { default: 1048576, internal: true }),
    supported_VGPU_max_capacities: field(
      t.map(t.ref('VGPU_type'), t.int),
      'DynamicRO',
      'vgpu-productisation',
      'Supported VGPU max capacities.',
      { default: {} },
    ),
    dom0_access: field(e.pci_dom0_access, 'DynamicRO', 'published cream; deprecated 24.14.0', 'Dom0 access.', {
      default: 'enabled',
    }),
    is_system_display_device: field(t.bool, 'DynamicRO', 'cream', 'Is system display device.', { default: false }),
    compatibility_metadata: field(t.map(t.string, t.string), 'DynamicRO', 'inverness', 'Compatibility metadata.', {
      default: {},
    }),
  },
  messages: {
    add_enabled_VGPU_types: {
      doc: 'Add enabled VGPU types of this PGPU.',
      params: { self: t.ref('PGPU'), value: t.ref('VGPU_type') },
      result: t.none,
      role: 'pool-operator',
      life: 'vgpu-tech-preview',
    },
    remove_enabled_VGPU_types: {
      doc: 'Remove enabled VGPU types of this PGPU.',
      params: { self: t.ref('PGPU'), value: t.ref('VGPU_type') },
      result: t.none,
      role: 'pool-operator',
      life: 'vgpu-tech-preview',
    },
    set_enabled_VGPU_types: {
      doc: 'Set enabled VGPU types of this PGPU.',
      params: { self: t.ref('PGPU'), value: t.set(t.ref('VGPU_type')) },
      result: t.none,
      role: 'pool-operator',
      life: 'vgpu-tech-preview',
    },
    set_GPU_group: {
      doc: 'Set GPU group of this PGPU.',
      params: { self: t.ref('PGPU'), value: t.ref('GPU_group') },
      result: t.none,
      role: 'pool-operator',
      life: 'vgpu-tech-preview',
    },
    get_remaining_capacity: {
      doc: 'Get remaining capacity of this PGPU.',
      params: { self: t.ref('PGPU'), vgpu_type: t.ref('VGPU_type') },
      result: t.int,
      role: 'read-only',
      life: 'vgpu-tech-preview',
    },
    enable_dom0_access: {
      doc: 'Enable dom0 access of this PGPU.',
      params: { self: t.ref('PGPU') },
      result: e.pci_dom0_access,
      role: 'pool-operator',
      life: 'published cream; deprecated 24.14.0',
    },
    disable_dom0_access: {
      doc: 'Disable dom0 access of this PGPU.',
      params: { self: t.ref('PGPU') },
      result: e.pci_dom0_access,
      role: 'pool-operator',
      life: 'published cream; deprecated 24.14.0',
    },
  },
});
