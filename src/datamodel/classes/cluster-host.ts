/** XenAPI class `Cluster_host`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const Cluster_host = cls({
  name: 'Cluster_host',
  doc: 'A host as a member of the cluster.',
  life: 'prototyped kolkata; published lima',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'prototyped kolkata; published lima', 'UUID of the member.'),
    cluster: field(
      t.ref('Cluster'),
      'StaticRO',
      'prototyped kolkata; published lima',
      'Cluster that the host is a member of.',
      {
        default: 'OpaqueRef:NULL',
      },
    ),
    host: field(t.ref('host'), 'StaticRO', 'prototyped kolkata; published lima', 'Host that is the member.', {
      default: 'OpaqueRef:NULL',
    }),
    enabled: field(
      t.bool,
      'DynamicRO',
      'prototyped kolkata; published lima',
      'True when the host should take part in the cluster.',
      { default: false },
    ),
    PIF: field(
      t.ref('PIF'),
      'StaticRO',
      'prototyped kolkata; published lima',
      'Interface that the host uses for the cluster.',
      { default: 'OpaqueRef:NULL' },
    ),
    joined: field(
      t.bool,
      'DynamicRO',
      'prototyped kolkata; published lima',
      'True once the host has joined the cluster.',
      { default: true },
    ),
    live: field(t.bool, 'DynamicRO', 'prototyped 24.3.0', 'True when the cluster software sees the host alive.', {
      default: false,
    }),
    last_update_live: field(
      t.datetime,
      'DynamicRO',
      'prototyped 24.3.0',
      'When the state of being alive was last brought up to date.',
      {
        default: '19700101T00:00:00Z',
      },
    ),
    allowed_operations: field(
      t.set(e.cluster_host_operation),
      'DynamicRO',
      'rio',
      'Operations that would be accepted now; advice only.',
      {
        default: [],
        persistent: false,
      },
    ),
    current_operations: field(
      t.map(t.string, e.cluster_host_operation),
      'DynamicRO',
      'rio',
      'Operations in progress, keyed by the reference of the task that runs each.',
      {
        default: {},
        persistent: false,
      },
    ),
    other_config: field(
      t.map(t.string, t.string),
      'StaticRO',
      'prototyped kolkata; published lima',
      'Further data of clients.',
      {
        default: {},
      },
    ),
  },
  messages: {
    create: {
      doc: 'Make a host join the cluster on the given PIF.',
      params: { cluster: t.ref('Cluster'), host: t.ref('host'), pif: t.ref('PIF') },
      result: t.ref('Cluster_host'),
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      errors: ['PIF_NOT_ATTACHED_TO_HOST', 'NO_CLUSTER_HOSTS_REACHABLE'],
    },
    destroy: {
      doc: 'Make a host leave the cluster; it must not be the last.',
      params: { self: t.ref('Cluster_host') },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      errors: ['CLUSTER_STACK_IN_USE', 'CLUSTERING_DISABLED', 'CLUSTER_HOST_IS_LAST'],
      op: 'destroy',
    },
    enable: {
      doc: 'Let the host take part in the cluster; its PIF must be up and disallow unplugging.',
      params: { self: t.ref('Cluster_host') },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      errors: ['PIF_ALLOWS_UNPLUG', 'REQUIRED_PIF_IS_UNPLUGGED'],
      op: 'enable',
    },
    force_destroy: {
      doc: 'Remove a member even if it cannot leave properly.',
      params: { self: t.ref('Cluster_host') },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      errors: ['CLUSTER_STACK_IN_USE'],
    },
    forget: {
      doc: 'Remove a host that is gone for good from the cluster, without asking it.',
      params: { self: t.ref('Cluster_host') },
      result: t.none,
      role: 'local-root',
      life: 'lima',
      hidden: true,
    },
    disable: {
      doc: 'Stop the host from taking part in the cluster; no SR there may use it.',
      params: { self: t.ref('Cluster_host') },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      errors: ['CLUSTER_STACK_IN_USE'],
      op: 'disable',
    },
  },
});
