/** XenAPI class `VTPM`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const VTPM = cls({
  name: 'VTPM',
  doc: 'VTPM.',
  life: 'prototyped 22.26.0',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    allowed_operations: field(t.set(e.vtpm_operations), 'DynamicRO', 'rio', 'Allowed operations.', {
      default: [],
      persistent: false,
    }),
    current_operations: field(t.map(t.string, e.vtpm_operations), 'DynamicRO', 'rio', 'Current operations.', {
      default: {},
      persistent: false,
    }),
    VM: field(t.ref('VM'), 'StaticRO', 'rio', 'VM.'),
    backend: field(t.ref('VM'), 'DynamicRO', 'rio', 'Backend.', { default: 'OpaqueRef:NULL' }),
    persistence_backend: field(e.persistence_backend, 'DynamicRO', 'prototyped 22.26.0', 'Persistence backend.', {
      default: 'xapi',
    }),
    is_unique: field(t.bool, 'StaticRO', 'prototyped 22.26.0', 'Is unique.', { default: false }),
    is_protected: field(t.bool, 'DynamicRO', 'prototyped 22.26.0', 'Is protected.', { default: false }),
    contents: field(t.ref('secret'), 'DynamicRO', 'prototyped 22.26.0', 'Contents.', { internal: true }),
  },
  messages: {
    create: {
      doc: 'Create of this VTPM.',
      params: { vM: t.ref('VM'), is_unique: t.bool },
      result: t.ref('VTPM'),
      role: 'vm-admin',
      life: 'prototyped 22.26.0',
    },
    destroy: {
      doc: 'Destroy of this VTPM.',
      params: { self: t.ref('VTPM') },
      result: t.none,
      role: 'vm-admin',
      life: 'prototyped 22.26.0',
      op: 'destroy',
    },
    get_contents: {
      doc: 'Get contents of this VTPM.',
      params: { self: t.ref('VTPM') },
      result: t.string,
      role: 'local-root',
      life: 'prototyped 22.26.0',
      hidden: true,
    },
    set_contents: {
      doc: 'Set contents of this VTPM.',
      params: { self: t.ref('VTPM'), contents: t.string },
      result: t.none,
      role: 'local-root',
      life: 'prototyped 22.26.0',
      hidden: true,
    },
  },
});
