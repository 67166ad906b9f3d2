/** XenAPI class `Cluster`. */
import { cls, field, opt, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const Cluster = cls({
  name: 'Cluster',
  doc: 'The cluster of the pool, in which hosts agree on who is alive.',
  life: 'prototyped kolkata; published lima',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'pool-operator',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'prototyped kolkata; published lima', 'UUID of the cluster.'),
    cluster_hosts: field(
      t.set(t.ref('Cluster_host')),
      'DynamicRO',
      'prototyped kolkata; published lima',
      'Members of the cluster.',
      { from: 'Cluster_host.cluster' },
    ),
    pending_forget: field(
      t.set(t.string),
      'DynamicRO',
      'lima',
      'Addresses of members that are to be forgotten as soon as possible.',
      { default: [] },
    ),
    cluster_token: field(
      t.string,
      'StaticRO',
      'prototyped kolkata; published lima',
      'Secret by which members know each other.',
      { default: '' },
    ),
    cluster_stack: field(
      t.string,
      'StaticRO',
      'prototyped kolkata; published lima',
      'Cluster software, such as `corosync`.',
      {
        default: 'corosync',
      },
    ),
    cluster_stack_version: field(t.int, 'StaticRO', 'prototyped 24.15.0', 'Major version of the cluster software.', {
      default: 2,
    }),
    is_quorate: field(t.bool, 'DynamicRO', 'prototyped 24.3.0', 'True when enough members are alive to act.', {
      default: false,
    }),
    quorum: field(t.int, 'DynamicRO', 'prototyped 24.3.0', 'Number of members that must be alive to act.', {
      default: 0,
    }),
    live_hosts: field(t.int, 'DynamicRO', 'prototyped 24.3.0', 'Number of members that are alive.', { default: 0 }),
    expected_hosts: field(t.int, 'DynamicRO', 'prototyped 25.17.0', 'Number of members that should be alive.', {
      default: 0,
    }),
    allowed_operations: field(
      t.set(e.cluster_operation),
      'DynamicRO',
      'rio',
      'Operations that would be accepted now; advice only.',
      {
        default: [],
        persistent: false,
      },
    ),
    current_operations: field(
      t.map(t.string, e.cluster_operation),
      'DynamicRO',
      'rio',
      'Operations in progress, keyed by the reference of the task that runs each.',
      {
        default: {},
        persistent: false,
      },
    ),
    pool_auto_join: field(
      t.bool,
      'StaticRO',
      'prototyped kolkata; published lima',
      'True when hosts that join the pool join the cluster too.',
      {
        default: true,
      },
    ),
    token_timeout: field(
      t.float,
      'StaticRO',
      'prototyped kolkata; changed lima; published lima',
      'Seconds after which a member that is silent counts as lost.',
      {
        default: 20,
      },
    ),
    token_timeout_coefficient: field(
      t.float,
      'StaticRO',
      'prototyped kolkata; changed lima; published lima',
      'Seconds added to token_timeout for each member beyond two.',
      { default: 1 },
    ),
    cluster_config: field(
      t.map(t.string, t.string),
      'StaticRO',
      'prototyped kolkata; published lima',
      'Further settings of the cluster software.',
      { default: {} },
    ),
    other_config: field(
      t.map(t.string, t.string),
      'RW',
      'prototyped kolkata; published lima',
      'Further data of clients.',
      {
        default: {},
      },
    ),
  },
  messages: {
    create: {
      doc: 'Create a cluster with this host as its only member, on the given PIF.',
      params: {
        PIF: t.ref('PIF'),
        cluster_stack: t.string,
        pool_auto_join: t.bool,
        token_timeout: opt(t.float, 20),
        token_timeout_coefficient: opt(t.float, 1),
      },
      result: t.ref('Cluster'),
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      errors: ['INVALID_CLUSTER_STACK', 'INVALID_VALUE', 'PIF_ALLOWS_UNPLUG', 'REQUIRED_PIF_IS_UNPLUGGED'],
    },
    destroy: {
      doc: 'Destroy a cluster with one member.',
      params: { self: t.ref('Cluster') },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      errors: ['CLUSTER_DOES_NOT_HAVE_ONE_NODE', 'CLUSTER_STACK_IN_USE'],
      op: 'destroy',
    },
    get_network: {
      doc: 'Return the network that the members use.',
      params: { self: t.ref('Cluster') },
      result: t.ref('network'),
      role: 'read-only',
      life: 'prototyped kolkata; published lima',
    },
    pool_create: {
      doc: 'Create a cluster with all hosts of the pool on the given network.',
      params: {
        network: t.ref('network'),
        cluster_stack: t.string,
        token_timeout: opt(t.float, 20),
        token_timeout_coefficient: opt(t.float, 1),
      },
      result: t.ref('Cluster'),
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
    },
    pool_force_destroy: {
      doc: 'Destroy the cluster on all hosts even if some do not answer.',
      params: { self: t.ref('Cluster') },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      errors: ['CLUSTER_FORCE_DESTROY_FAILED'],
    },
    pool_destroy: {
      doc: 'Destroy the cluster on all hosts; no SR may use it.',
      params: { self: t.ref('Cluster') },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      errors: ['CLUSTER_STACK_IN_USE', 'CLUSTERING_DISABLED', 'CLUSTER_HOST_IS_LAST'],
    },
    pool_resync: {
      doc: 'Make each host a member, enabled as it should be.',
      params: { self: t.ref('Cluster') },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
    },
    cstack_sync: {
      doc: 'Bring records in line with what the cluster software says of its members.',
      params: { self: t.ref('Cluster') },
      result: t.none,
      role: 'pool-operator',
      life: 'prototyped kolkata; published lima',
      hidden: true,
      poolInternal: true,
    },
  },
});
