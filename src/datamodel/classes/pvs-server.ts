/** XenAPI class `PVS_server`. */
import { cls, field, t } from '../dsl.ts';

export const PVS_server = cls({
  name: 'PVS_server',
  doc: 'PVS server.',
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
    addresses: field(t.set(t.string), 'StaticRO', 'ely', 'Addresses.', { default: [] }),
    first_port: field(t.int, 'StaticRO', 'ely', 'First port.', { default: 0 }),
    last_port: field(t.int, 'StaticRO', 'ely', 'Last port.', { default: 0 }),
    site: field(t.ref('PVS_site'), 'StaticRO', 'ely', 'Site.', { default: 'OpaqueRef:NULL' }),
  },
  messages: {
    introduce: {
      doc: 'Introduce of this PVS server.',
      params: { addresses: t.set(t.string), first_port: t.int, last_port: t.int, site: t.ref('PVS_site') },
      result: t.ref('PVS_server'),
      role: 'pool-operator',
      life: 'ely',
    },
    forget: {
      doc: 'Forget of this PVS server.',
      params: { self: t.ref('PVS_server') },
      result: t.none,
      role: 'pool-operator',
      life: 'ely',
    },
  },
});
