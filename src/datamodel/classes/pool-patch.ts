/** XenAPI class `pool_patch`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const pool_patch = cls({
  name: 'pool_patch',
  doc: 'A patch in the old format, uploaded to the pool; see pool_update.',
  life: 'published miami; deprecated ely',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID of the patch.'),
    name_label: field(t.string, 'StaticRO', 'rio', 'Name of the patch.', { default: '' }),
    name_description: field(t.string, 'StaticRO', 'rio', 'What the patch does.', { default: '' }),
    version: field(t.string, 'StaticRO', 'miami', 'Version of the patch.', { default: '' }),
    filename: field(t.string, 'DynamicRO', 'miami', 'File at the coordinator that holds the patch.', {
      default: '',
      internal: true,
    }),
    size: field(t.int, 'DynamicRO', 'miami', 'Size of the patch in bytes.', { default: 0 }),
    pool_applied: field(t.bool, 'DynamicRO', 'miami', 'True when the patch is on all hosts.', { default: false }),
    host_patches: field(
      t.set(t.ref('host_patch')),
      'DynamicRO',
      'miami',
      'Hosts on which the patch is, one object for each.',
      {
        from: 'host_patch.pool_patch',
      },
    ),
    after_apply_guidance: field(
      t.set(e.after_apply_guidance),
      'DynamicRO',
      'miami',
      'What to restart after the patch has been applied.',
      {
        default: [],
      },
    ),
    pool_update: field(t.ref('pool_update'), 'StaticRO', 'ely', 'Update that this patch stands for.', {
      default: 'OpaqueRef:NULL',
    }),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Further data of clients.', { default: {} }),
  },
  messages: {
    apply: {
      doc: 'Apply the patch to a host and return what its installer printed.',
      params: { self: t.ref('pool_patch'), host: t.ref('host') },
      result: t.string,
      role: 'pool-operator',
      life: 'published miami; deprecated ely',
    },
    pool_apply: {
      doc: 'Apply the patch to all hosts.',
      params: { self: t.ref('pool_patch') },
      result: t.none,
      role: 'pool-operator',
      life: 'published miami; deprecated ely',
    },
    precheck: {
      doc: 'Check whether the patch could be applied to the host.',
      params: { self: t.ref('pool_patch'), host: t.ref('host') },
      result: t.string,
      role: 'pool-operator',
      life: 'published miami; deprecated ely',
    },
    clean: {
      doc: 'Delete the file of the patch at the coordinator.',
      params: { self: t.ref('pool_patch') },
      result: t.none,
      role: 'pool-operator',
      life: 'published miami; deprecated ely',
    },
    pool_clean: {
      doc: 'Delete the file of the patch on all hosts.',
      params: { self: t.ref('pool_patch') },
      result: t.none,
      role: 'pool-operator',
      life: 'published tampa; deprecated ely',
    },
    destroy: {
      doc: 'Delete the patch and its file; refused when it is applied to a host.',
      params: { self: t.ref('pool_patch') },
      result: t.none,
      role: 'pool-operator',
      life: 'published miami; deprecated ely',
    },
    clean_on_host: {
      doc: 'Delete the file of the patch on the host.',
      params: { self: t.ref('pool_patch'), host: t.ref('host') },
      result: t.none,
      role: 'pool-operator',
      life: 'published tampa; deprecated ely',
    },
  },
});
