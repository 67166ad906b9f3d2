/** XenAPI class `PVS_proxy`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const PVS_proxy = cls({
  name: 'PVS_proxy',
  doc: 'A cache on the host for a VM that boots from a Provisioning server.',
  life: 'ely',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'ely', 'UUID of the proxy.'),
    site: field(t.ref('PVS_site'), 'StaticRO', 'ely', 'Site that the VM boots from.', { default: 'OpaqueRef:NULL' }),
    VIF: field(t.ref('VIF'), 'StaticRO', 'ely', 'First interface of the VM, whose traffic passes through the proxy.', {
      default: 'OpaqueRef:NULL',
    }),
    currently_attached: field(t.bool, 'DynamicRO', 'ely', 'True while the VM runs and the proxy serves it.', {
      default: false,
    }),
    status: field(e.pvs_proxy_status, 'DynamicRO', 'ely', 'What the proxy is doing, or why it cannot cache.', {
      default: 'stopped',
    }),
  },
  messages: {
    create: {
      doc: 'Make a proxy for the first VIF of a VM.',
      params: { site: t.ref('PVS_site'), VIF: t.ref('VIF') },
      result: t.ref('PVS_proxy'),
      role: 'pool-operator',
      life: 'ely',
    },
    destroy: {
      doc: 'Delete a proxy; it must not be running.',
      params: { self: t.ref('PVS_proxy') },
      result: t.none,
      role: 'pool-operator',
      life: 'ely',
    },
  },
});
