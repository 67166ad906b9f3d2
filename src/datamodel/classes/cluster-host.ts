/** XenAPI class `Cluster_host`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const Cluster_host = cls({
  name: 'Cluster_host',
  doc: 'Cluster host.',
  life: 'prototyped kolkata; published lima',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'prototyped kolkata; published lima', 'Uuid.'),
    cluster: field(t.ref('Cluster'), 'StaticRO', 'prototyped kolkata; published lima', 'Cluster.', {
      default: 'OpaqueRef:NULL',
    }),
    host: field(t.ref('host'), 'StaticRO', 'prototyped kolkata; published lima', 'Host.', {
      default: 'OpaqueRef:NULL',
    }),
    enabled: field(t.bool, 'DynamicRO', 'prototyped kolkata; published lima', 'Enabled.', { default: false }),
    PIF: field(t.ref('PIF'), 'StaticRO', 'prototyped kolkata; published lima', 'PIF.', { default: 'OpaqueRef:NULL' }),
    joined: field(t.bool, 'DynamicRO', 'prototyped kolkata; published lima', 'Joined.', { default: true }),
    live: field(t.bool, 'DynamicRO', 'prototyped 24.3.0', 'Live.', { default: false }),
    last_update_live: field(t.datetime, 'DynamicRO', 'prototyped 24.3.0', 'Last update live.', {
      default: '19700101T00:00:00Z',
    }),
    allowed_operations: field(t.set(e.cluster_host_operation), 'DynamicRO', 'rio', 'Allowed operations.', {
      default: [],
      persistent: false,
    }),
    current_operations: field(t.map(t.string, e.cluster_host_operation), 'DynamicRO', 'rio', 'Current operations.', {
      default: {},
      persistent: false,
    }),
    other_config: field(t.map(t.string, t.string), 'StaticRO', 'prototyped kolkata; published lima', 'Other config.', {
      default: {},
    }),
  },
  messages: {
    create: {
      doc: 'Create of this Cluster host.',
      params: { cluster: t.ref('Cluster'), host: t.ref('host'), pif: t.ref('PIF') },
      result: t.ref('Cluster_host'),
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      errors: ['PIF_NOT_ATTACHED_TO_HOST', 'NO_CLUSTER_HOSTS_REACHABLE'],
    },
    destroy: {
      doc: 'Destroy of this Cluster host.',
      params: { self: t.ref('Cluster_host') },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      errors: ['CLUSTER_STACK_IN_USE', 'CLUSTERING_DISABLED', 'CLUSTER_HOST_IS_LAST'],
      op: 'destroy',
    },
    enable: {
      doc: 'Enable of this Cluster host.',
      params: { self: t.ref('Cluster_host') },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      errors: ['PIF_ALLOWS_UNPLUG', 'REQUIRED_PIF_IS_UNPLUGGED'],
      op: 'enable',
    },
    force_destroy: {
      doc: 'Force destroy of this Cluster host.',
      params: { self: t.ref('Cluster_host') },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      errors: ['CLUSTER_STACK_IN_USE'],
    },
    forget: {
      doc: 'Forget of this Cluster host.',
      params: { self: t.ref('Cluster_host') },
      result: t.none,
      role: 'local-root',
      life: 'lima',
      hidden: true,
    },
    disable: {
      doc: 'Disable of this Cluster host.',
      params: { self: t.ref('Cluster_host') },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      errors: ['CLUSTER_STACK_IN_USE'],
      op: 'disable',
    },
  },
});
