/** XenAPI class `PVS_site`. */
import { cls, field, t } from '../dsl.ts';

export const PVS_site = cls({
  name: 'PVS_site',
  doc: 'PVS site.',
  life: 'ely',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'ely', 'Uuid.'),
    name_label: field(t.string, 'RW', 'ely', 'Name label.', { default: '' }),
    name_description: field(t.string, 'RW', 'ely', 'Name description.', { default: '' }),
    PVS_uuid: field(t.string, 'StaticRO', 'ely', 'PVS uuid.', { default: '' }),
    cache_storage: field(t.set(t.ref('PVS_cache_storage')), 'DynamicRO', 'ely', 'Cache storage.', {
      default: [],
      dangling: true,
      from: 'PVS_cache_storage.site',
    }),
    servers: field(t.set(t.ref('PVS_server')), 'DynamicRO', 'ely', 'Servers.', { from: 'PVS_server.site' }),
    proxies: field(t.set(t.ref('PVS_proxy')), 'DynamicRO', 'ely', 'Proxies.', { from: 'PVS_proxy.site' }),
  },
  messages: {
    introduce: {
      doc: 'Introduce of this PVS site.',
      params: { name_label: t.string, name_description: t.string, PVS_uuid: t.string },
      result: t.ref('PVS_site'),
      role: 'pool-operator',
      life: 'ely',
    },
    forget: {
      doc: 'Forget of this PVS site.',
      params: { self: t.ref('PVS_site') },
      result: t.none,
      role: 'pool-operator',
      life: 'ely',
      errors: ['PVS_SITE_CONTAINS_RUNNING_PROXIES', 'PVS_SITE_CONTAINS_SERVERS'],
    },
    set_PVS_uuid: {
      doc: 'Set PVS uuid of this PVS site.',
      params: { self: t.ref('PVS_site'), value: t.string },
      result: t.none,
      role: 'pool-operator',
      life: 'ely',
    },
  },
});
