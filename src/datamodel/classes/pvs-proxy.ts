/** XenAPI class `PVS_proxy`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const PVS_proxy = cls({
  name: 'PVS_proxy',
  doc: 'PVS proxy.',
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
    site: field(t.ref('PVS_site'), 'StaticRO', 'ely', 'Site.', { default: 'OpaqueRef:NULL' }),
    VIF: field(t.ref('VIF'), 'StaticRO', 'ely', 'VIF.', { default: 'OpaqueRef:NULL' }),
    currently_attached: field(t.bool, 'DynamicRO', 'ely', 'Currently attached.', { default: false }),
    status: field(e.pvs_proxy_status, 'DynamicRO', 'ely', 'Status.', { default: 'stopped' }),
  },
  messages: {
    create: {
      doc: 'Create of this PVS proxy.',
      params: { site: t.ref('PVS_site'), VIF: t.ref('VIF') },
      result: t.ref('PVS_proxy'),
      role: 'pool-operator',
      life: 'ely',
    },
    destroy: {
      doc: 'Destroy of this PVS proxy.',
      params: { self: t.ref('PVS_proxy') },
      result: t.none,
      role: 'pool-operator',
      life: 'ely',
    },
  },
});
