/** XenAPI class `pool_patch`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const pool_patch = cls({
  name: 'pool_patch',
  doc: 'pool patch.',
  life: 'published miami; deprecated ely',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'Uuid.'),
    name_label: field(t.string, 'StaticRO', 'rio', 'Name label.', { default: '' }),
    name_description: field(t.string, 'StaticRO', 'rio', 'Name description.', { default: '' }),
    version: field(t.string, 'StaticRO', 'miami', 'Version.', { default: '' }),
    filename: field(t.string, 'DynamicRO', 'miami', 'Filename.', { default: '', internal: true }),
    size: field(t.int, 'DynamicRO', 'miami', 'Size.', { default: 0 }),
    pool_applied: field(t.bool, 'DynamicRO', 'miami', 'Pool applied.', { default: false }),
    host_patches: field(t.set(t.ref('host_patch')), 'DynamicRO', 'miami', 'Host patches.', {
      from: 'host_patch.pool_patch',
    }),
    after_apply_guidance: field(t.set(e.after_apply_guidance), 'DynamicRO', 'miami', 'After apply guidance.', {
      default: [],
    }),
    pool_update: field(t.ref('pool_update'), 'StaticRO', 'ely', 'Pool update.', { default: 'OpaqueRef:NULL' }),
    other_config: field(t.map(t.string, t.string), 'RW', 'miami', 'Other config.', { default: {} }),
  },
  messages: {
    apply: {
      doc: 'Apply of this pool patch.',
      params: { self: t.ref('pool_patch'), host: t.ref('host') },
      result: t.string,
      role: 'pool-operator',
      life: 'published miami; deprecated ely',
    },
    pool_apply: {
      doc: 'Pool apply of this pool patch.',
      params: { self: t.ref('pool_patch') },
      result: t.none,
      role: 'pool-operator',
      life: 'published miami; deprecated ely',
    },
    precheck: {
      doc: 'Precheck of this pool patch.',
      params: { self: t.ref('pool_patch'), host: t.ref('host') },
      result: t.string,
      role: 'pool-operator',
      life: 'published miami; deprecated ely',
    },
    clean: {
      doc: 'Clean of this pool patch.',
      params: { self: t.ref('pool_patch') },
      result: t.none,
      role: 'pool-operator',
      life: 'published miami; deprecated ely',
    },
    pool_clean: {
      doc: 'Pool clean of this pool patch.',
      params: { self: t.ref('pool_patch') },
      result: t.none,
      role: 'pool-operator',
      life: 'published tampa; deprecated ely',
    },
    destroy: {
      doc: 'Destroy of this pool patch.',
      params: { self: t.ref('pool_patch') },
      result: t.none,
      role: 'pool-operator',
      life: 'published miami; deprecated ely',
    },
    clean_on_host: {
      doc: 'Clean on host of this pool patch.',
      params: { self: t.ref('pool_patch'), host: t.ref('host') },
      result: t.none,
      role: 'pool-operator',
      life: 'published tampa; deprecated ely',
    },
  },
});
