/** XenAPI class `VGPU`. */
import { cls, field, opt, t } from '../dsl.ts';

export const VGPU = cls({
  name: 'VGPU',
  doc: 'A virtual GPU of a VM.',
  life: 'boston',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'boston', 'UUID of the virtual GPU.'),
    VM: field(t.ref('VM'), 'DynamicRO', 'boston', 'VM that has the virtual GPU.'),
    GPU_group: field(t.ref('GPU_group'), 'DynamicRO', 'boston', 'Group whose GPUs can serve it.'),
    device: field(t.string, 'DynamicRO', 'boston', 'Position among the virtual GPUs of the VM, from `0`.', {
      default: '0',
    }),
    currently_attached: field(t.bool, 'DynamicRO', 'boston', 'True while the virtual GPU is in the domain.', {
      default: false,
    }),
    other_config: field(t.map(t.string, t.string), 'RW', 'boston', 'Further data of clients.', { default: {} }),
    type: field(
      t.ref('VGPU_type'),
      'DynamicRO',
      'vgpu-tech-preview',
      'Type of the virtual GPU; pass-through gives the VM a whole GPU.',
      { default: 'OpaqueRef:NULL' },
    ),
    resident_on: field(t.ref('PGPU'), 'DynamicRO', 'vgpu-tech-preview', 'Physical GPU that it runs on, or null.', {
      default: 'OpaqueRef:NULL',
    }),
    scheduled_to_be_resident_on: field(
      t.ref('PGPU'),
      'DynamicRO',
      'dundee',
      'Physical GPU reserved for it during a start or migration, or null.',
      {
        default: 'OpaqueRef:NULL',
      },
    ),
    compatibility_metadata: field(
      t.map(t.string, t.string),
      'DynamicRO',
      'inverness',
      'Data by which drivers judge where the virtual GPU may migrate.',
      {
        default: {},
      },
    ),
    extra_args: field(t.string, 'RW', 'quebec', 'Further arguments for the emulator of the virtual GPU.', {
      default: '',
    }),
    PCI: field(
      t.ref('PCI'),
      'DynamicRO',
      'quebec',
      'Device that the VM has when it is a whole GPU or a virtual function, else null.',
      { default: 'OpaqueRef:NULL' },
    ),
  },
  messages: {
    create: {
      doc: 'Give a Halted VM a virtual GPU of this type; null means pass-through of a whole GPU.',
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
      doc: 'Delete the virtual GPU; the VM must be Halted.',
      params: { self: t.ref('VGPU') },
      result: t.none,
      role: 'pool-operator',
      life: 'boston',
    },
    atomic_set_resident_on: {
      doc: "Make the GPU the virtual one's place and clear its reservation in one step.",
      params: { self: t.ref('VGPU'), value: t.ref('PGPU') },
      result: t.none,
      role: 'local-root',
      life: 'dundee',
      hidden: true,
      poolInternal: true,
    },
  },
});
