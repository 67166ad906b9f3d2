/** XenAPI class `PGPU`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const PGPU = cls({
  name: 'PGPU',
  doc: 'A physical GPU of a host.',
  life: 'boston',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'boston', 'UUID of the GPU.'),
    PCI: field(t.ref('PCI'), 'StaticRO', 'boston', 'PCI device of the GPU.', { default: 'OpaqueRef:NULL' }),
    GPU_group: field(t.ref('GPU_group'), 'StaticRO', 'boston', 'Group that the GPU belongs to.', {
      default: 'OpaqueRef:NULL',
    }),
    host: field(t.ref('host'), 'DynamicRO', 'boston', 'Host that has the GPU.', { default: 'OpaqueRef:NULL' }),
    other_config: field(t.map(t.string, t.string), 'RW', 'boston', 'Further data of clients.', { default: {} }),
    supported_VGPU_types: field(
      t.set(t.ref('VGPU_type')),
      'DynamicRO',
      'vgpu-tech-preview',
      'Types of virtual GPU that the hardware can provide.',
      {
        mirrors: 'VGPU_type.supported_on_PGPUs',
      },
    ),
    enabled_VGPU_types: field(
      t.set(t.ref('VGPU_type')),
      'DynamicRO',
      'vgpu-tech-preview',
      'Types of virtual GPU that may be placed on the GPU.',
      {
        mirrors: 'VGPU_type.enabled_on_PGPUs',
      },
    ),
    resident_VGPUs: field(
      t.set(t.ref('VGPU')),
      'DynamicRO',
      'vgpu-tech-preview',
      'Virtual GPUs that run on the GPU now.',
      {
        from: 'VGPU.resident_on',
      },
    ),
    size: field(t.int, 'StaticRO', 'vgpu-tech-preview', 'Whole capacity of the GPU in arbitrary units.', {
      default: 1048576,
      internal: true,
    }),
    supported_VGPU_max_capacities: field(
      t.map(t.ref('VGPU_type'), t.int),
      'DynamicRO',
      'vgpu-productisation',
      'How many virtual GPUs of each type fit on the GPU when it is empty.',
      { default: {} },
    ),
    dom0_access: field(
      e.pci_dom0_access,
      'DynamicRO',
      'published cream; deprecated 24.14.0',
      'Whether the control domain has the GPU; use PCI.get_dom0_access_status.',
      {
        default: 'enabled',
      },
    ),
    is_system_display_device: field(
      t.bool,
      'DynamicRO',
      'cream',
      "True when the host's own display hangs on the GPU.",
      { default: false },
    ),
    compatibility_metadata: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'inverness',
      'Data by which drivers judge whether a virtual GPU may migrate to this GPU.',
      {
        default: {},
      },
    ),
  },
  messages: {
    add_enabled_VGPU_types: {
      doc: 'Allow one more type of virtual GPU on the GPU.',
      params: { self: t.ref('PGPU'), value: t.ref('VGPU_type') },
      result: t.none,
      role: 'pool-operator',
      life: 'vgpu-tech-preview',
    },
    remove_enabled_VGPU_types: {
      doc: 'Stop allowing a type of virtual GPU; refused while one runs there.',
      params: { self: t.ref('PGPU'), value: t.ref('VGPU_type') },
      result: t.none,
      role: 'pool-operator',
      life: 'vgpu-tech-preview',
    },
    set_enabled_VGPU_types: {
      doc: 'Replace the set of types of virtual GPU that are allowed on the GPU.',
      params: { self: t.ref('PGPU'), value: t.set(t.ref('VGPU_type')) },
      result: t.none,
      role: 'pool-operator',
      life: 'vgpu-tech-preview',
    },
    set_GPU_group: {
      doc: 'Move the GPU to another group; refused while virtual GPUs run on it.',
      params: { self: t.ref('PGPU'), value: t.ref('GPU_group') },
      result: t.none,
      role: 'pool-operator',
      life: 'vgpu-tech-preview',
    },
    get_remaining_capacity: {
      doc: 'Return how many more virtual GPUs of this type fit on the GPU now.',
      params: { self: t.ref('PGPU'), vgpu_type: t.ref('VGPU_type') },
      result: t.int,
      role: 'read-only',
      life: 'vgpu-tech-preview',
    },
    enable_dom0_access: {
      doc: 'Give the GPU back to the control domain; use PCI.enable_dom0_access.',
      params: { self: t.ref('PGPU') },
      result: e.pci_dom0_access,
      role: 'pool-operator',
      life: 'published cream; deprecated 24.14.0',
    },
    disable_dom0_access: {
      doc: 'Hide the GPU from the control domain; use PCI.disable_dom0_access.',
      params: { self: t.ref('PGPU') },
      result: e.pci_dom0_access,
      role: 'pool-operator',
      life: 'published cream; deprecated 24.14.0',
    },
  },
});
