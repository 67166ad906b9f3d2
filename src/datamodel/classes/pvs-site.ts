/** XenAPI class `PVS_site`. */
import { cls, field, t } from '../dsl.ts';

export const PVS_site = cls({
  name: 'PVS_site',
  doc: 'A site of machines that boot from Citrix Provisioning servers.',
  life: 'ely',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'ely', 'UUID of the site.'),
    name_label: field(t.string, 'RW', 'ely', 'Name shown to users; need not be unique.', { default: '' }),
    name_description: field(t.string, 'RW', 'ely', 'Free text about the site for people.', { default: '' }),
    PVS_uuid: field(t.string, 'StaticRO', 'ely', 'Identifier of the site at the Provisioning servers.', {
      default: '',
    }),
    cache_storage: field(
      t.set(t.ref('PVS_cache_storage')),
      'DynamicRO',
      'ely',
      "Storage in which hosts cache what the site's servers send.",
      {
        default: [],
        dangling: true,
        from: 'PVS_cache_storage.site',
      },
    ),
    servers: field(t.set(t.ref('PVS_server')), 'DynamicRO', 'ely', 'Provisioning servers of the site.', {
      from: 'PVS_server.site',
    }),
    proxies: field(t.set(t.ref('PVS_proxy')), 'DynamicRO', 'ely', 'Proxies of VMs that boot from the site.', {
      from: 'PVS_proxy.site',
    }),
  },
  messages: {
    introduce: {
      doc: 'Make a record of a site.',
      params: { name_label: t.string, name_description: t.string, PVS_uuid: t.string },
      result: t.ref('PVS_site'),
      role: 'pool-operator',
      life: 'ely',
    },
    forget: {
      doc: 'Delete the record of a site without servers and running proxies.',
      params: { self: t.ref('PVS_site') },
      result: t.none,
      role: 'pool-operator',
      life: 'ely',
      errors: ['PVS_SITE_CONTAINS_RUNNING_PROXIES', 'PVS_SITE_CONTAINS_SERVERS'],
    },
    set_PVS_uuid: {
      doc: 'Set the identifier of the site at the Provisioning servers.',
      params: { self: t.ref('PVS_site'), value: t.string },
      result: t.none,
      role: 'pool-operator',
      life: 'ely',
    },
  },
});
