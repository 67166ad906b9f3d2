/** XenAPI class `PVS_cache_storage`. */
import { cls, field, t } from '../dsl.ts';

export const PVS_cache_storage = cls({
  name: 'PVS_cache_storage',
  doc: 'The storage in which one host caches data of a PVS site.',
  life: 'ely',
  lifecycle: true,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'ely', 'UUID of the cache storage.'),
    host: field(t.ref('host'), 'StaticRO', 'ely', 'Host that has the cache.', { default: 'OpaqueRef:NULL' }),
    SR: field(t.ref('SR'), 'StaticRO', 'ely', 'SR that holds the cache.', { default: 'OpaqueRef:NULL' }),
    site: field(t.ref('PVS_site'), 'StaticRO', 'ely', 'Site whose data are cached.', { default: 'OpaqueRef:NULL' }),
    size: field(t.int, 'StaticRO', 'ely', 'Size of the cache in bytes.', { default: 21474836480 }),
    VDI: field(t.ref('VDI'), 'DynamicRO', 'ely', 'Disk that holds the cache, or null.', { default: 'OpaqueRef:NULL' }),
  },
  messages: {},
});
