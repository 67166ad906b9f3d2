/** XenAPI class `VTPM`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const VTPM = cls({
  name: 'VTPM',
  doc: 'A virtual TPM of a VM.',
  life: 'prototyped 22.26.0',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the VTPM.'),
    allowed_operations: field(
      t.set(e.vtpm_operations),
      'DynamicRO',
      'rio',
      'Operations that would be accepted now; advice only.',
      {
        default: [],
        persistent: false,
      },
    ),
    current_operations: field(
      t.map(t.string, e.vtpm_operations),
      'DynamicRO',
      'rio',
      'Operations in progress, keyed by the reference of the task that runs each.',
      {
        default: {},
        persistent: false,
      },
    ),
    VM: field(t.ref('VM'), 'StaticRO', 'rio', 'VM that has the TPM.'),
    backend: field(t.ref('VM'), 'DynamicRO', 'rio', 'Domain that provides the TPM.', { default: 'OpaqueRef:NULL' }),
    persistence_backend: field(
      e.persistence_backend,
      'DynamicRO',
      'prototyped 22.26.0',
      'Where the contents are kept: `xapi` is the pool database.',
      {
        default: 'xapi',
      },
    ),
    is_unique: field(
      t.bool,
      'StaticRO',
      'prototyped 22.26.0',
      'True when the contents must never be copied, so that clones get an empty TPM.',
      { default: false },
    ),
    is_protected: field(
      t.bool,
      'DynamicRO',
      'prototyped 22.26.0',
      'True when the contents are encrypted with a secret of their own.',
      { default: false },
    ),
    contents: field(t.ref('secret'), 'DynamicRO', 'prototyped 22.26.0', 'Secret that holds the state of the TPM.', {
      internal: true,
    }),
  },
  messages: {
    create: {
      doc: 'Give a Halted VM a TPM; it may have one only.',
      params: { vM: t.ref('VM'), is_unique: t.bool },
      result: t.ref('VTPM'),
      role: 'vm-admin',
      life: 'prototyped 22.26.0',
    },
    destroy: {
      doc: 'Delete the TPM with its contents; the VM must be Halted.',
      params: { self: t.ref('VTPM') },
      result: t.none,
      role: 'vm-admin',
      life: 'prototyped 22.26.0',
      op: 'destroy',
    },
    get_contents: {
      doc: 'Return the state of the TPM in base64, for the TPM emulator.',
      params: { self: t.ref('VTPM') },
      result: t.string,
      role: 'local-root',
      life: 'prototyped 22.26.0',
      hidden: true,
    },
    set_contents: {
      doc: 'Store the state of the TPM in base64, for the TPM emulator.',
      params: { self: t.ref('VTPM'), contents: t.string },
      result: t.none,
      role: 'local-root',
      life: 'prototyped 22.26.0',
      hidden: true,
    },
  },
});
