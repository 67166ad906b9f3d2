/** XenAPI class `PVS_cache_storage`. */
import { cls, field, t } from '../dsl.ts';

export const PVS_cache_storage = cls({
  name: 'PVS_cache_storage',
  doc: 'PVS cache storage.',
  life: 'ely',
  lifecycle: true,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'ely', 'Uuid.'),
    host: field(t.ref('host'), 'StaticRO', 'ely', 'Host.', { default: 'OpaqueRef:NULL' }),
    SR: field(t.ref('SR'), 'StaticRO', 'ely', 'SR.', { default: 'OpaqueRef:NULL' }),
    site: field(t.ref('PVS_site'), 'StaticRO', 'ely', 'Site.', { default: 'OpaqueRef:NULL' }),
    size: field(t.int, 'StaticRO', 'ely', 'Size.', { default: 21474836480 }),
    VDI: field(t.ref('VDI'), 'DynamicRO', 'ely', 'VDI.', { default: 'OpaqueRef:NULL' }),
  },
  messages: {},
});
