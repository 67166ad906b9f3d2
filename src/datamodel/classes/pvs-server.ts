/** XenAPI class `PVS_server`. */
import { cls, field, t } from '../dsl.ts';

export const PVS_server = cls({
  name: 'PVS_server',
  doc: 'A Citrix Provisioning server.',
  life: 'ely',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'ely', 'UUID of the record.'),
    addresses: field(t.set(t.string), 'StaticRO', 'ely', 'IPv4 addresses of the server.', { default: [] }),
    first_port: field(t.int, 'StaticRO', 'ely', 'First UDP port that the server answers on.', { default: 0 }),
    last_port: field(t.int, 'StaticRO', 'ely', 'Last UDP port that the server answers on.', { default: 0 }),
    site: field(t.ref('PVS_site'), 'StaticRO', 'ely', 'Site that the server belongs to.', {
      default: 'OpaqueRef:NULL',
    }),
  },
  messages: {
    introduce: {
      doc: 'Make a record of a server of a site.',
      params: { addresses: t.set(t.string), first_port: t.int, last_port: t.int, site: t.ref('PVS_site') },
      result: t.ref('PVS_server'),
      role: 'pool-operator',
      life: 'ely',
    },
    forget: {
      doc: 'Delete the record of a server.',
      params: { self: t.ref('PVS_server') },
      result: t.none,
      role: 'pool-operator',
      life: 'ely',
    },
  },
});
