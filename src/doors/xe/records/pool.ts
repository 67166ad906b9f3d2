/** Names that `xe` has for the fields of pools, people, tasks and policies. */
import { mapRo, mapRw, type RecordKind, ro, rw, setRo, setRw } from '../record.ts';

export const pool: RecordKind = {
  cls: 'pool',
  rows: [
    ro('uuid'),
    rw('name-label'),
    rw('name-description'),
    ro('master'),
    rw('default-SR'),
    rw('crash-dump-SR'),
    rw('suspend-image-SR'),
    ro('supported-sr-types', undefined, { derived: true, expensive: true }),
    mapRw('other-config'),
    setRo('allowed-operations'),
    setRo('current-operations'),
    ro('ha-enabled'),
    ro('ha-configuration'),
    ro('ha-statefiles'),
    rw('ha-host-failures-to-tolerate'),
    ro('ha-plan-exists-for'),
    rw('ha-allow-overcommit'),
    ro('ha-overcommitted'),
    rw('ha-reboot-vm-on-internal-shutdown'),
    ro('blobs'),
    ro('wlb-url'),
    ro('wlb-username'),
    rw('wlb-enabled'),
    rw('wlb-verify-cert'),
    rw('igmp-snooping-enabled'),
    mapRw('gui-config'),
    mapRw('health-check-config'),
    ro('vswitch-controller', undefined, { hidden: true }),
    ro('restrictions'),
    setRw('tags'),
    ro('license-state', undefined, { call: 'pool.get_license_state' }),
    ro('ha-cluster-stack'),
    mapRw('guest-agent-config'),
    mapRo('cpu_info'),
    rw('policy-no-vendor-device'),
    rw('live-patching-disabled'),
    rw('uefi-certificates', undefined, { hidden: true }),
    rw('custom-uefi-certificates', undefined, { hidden: true }),
    ro('tls-verification-enabled'),
    ro('client-certificate-auth-enabled'),
    ro('client-certificate-auth-name'),
    setRw('repositories', undefined, {
      settable: true,
      via: { add: 'pool.add_repository', remove: 'pool.remove_repository' },
    }),
    ro('repository-proxy-url'),
    ro('repository-proxy-username'),
    rw('https-only', undefined, { derived: true }),
    rw('migration-compression'),
    rw('coordinator-bias'),
    ro('telemetry-frequency'),
    ro('telemetry-next-collection'),
    ro('last-update-sync'),
    ro('update-sync-frequency'),
    ro('update-sync-day'),
    ro('update-sync-enabled'),
    rw('auto-update-vm-secureboot-certificates'),
    mapRo('recommendations'),
    rw('ext-auth-cache-enabled'),
    rw('ext-auth-cache-size'),
    rw('ext-auth-cache-expiry'),
    mapRw('license-server'),
    ro('ssh-enabled', undefined, { derived: true }),
    rw('ssh-enabled-timeout', undefined, { derived: true }),
    ro('ssh-expiry', undefined, { derived: true }),
    rw('console-idle-timeout', undefined, { derived: true }),
    rw('ssh-auto-mode', undefined, { derived: true }),
    rw('limit-console-sessions'),
    rw('vm-console-idle-timeout'),
  ],
};

export const task: RecordKind = {
  cls: 'task',
  rows: [
    ro('uuid'),
    ro('name-label'),
    ro('name-description'),
    ro('subtask_of'),
    ro('subtasks'),
    ro('resident-on'),
    ro('status'),
    ro('progress'),
    ro('type'),
    ro('result'),
    ro('created'),
    ro('finished'),
    ro('error_info'),
    ro('allowed_operations'),
    ro('current_operations'),
    mapRw('other-config'),
  ],
};

export const message: RecordKind = {
  cls: 'message',
  rows: [ro('uuid'), ro('name'), ro('priority'), ro('class', 'cls'), ro('obj-uuid'), ro('timestamp'), ro('body')],
};

export const subject: RecordKind = {
  cls: 'subject',
  rows: [ro('uuid'), ro('subject-identifier'), mapRo('other-config'), setRo('roles', undefined, { derived: true })],
};

export const role: RecordKind = {
  cls: 'role',
  rows: [ro('uuid'), ro('name', 'name_label'), ro('description', 'name_description')],
};

export const secret: RecordKind = {
  cls: 'secret',
  rows: [ro('uuid'), rw('value')],
};

export const drTask: RecordKind = {
  cls: 'DR_task',
  rows: [ro('uuid'), ro('introduced-SRs')],
};

export const repository: RecordKind = {
  cls: 'Repository',
  rows: [
    ro('uuid'),
    rw('name-label'),
    rw('name-description'),
    ro('binary-url'),
    ro('source-url'),
    ro('update'),
    ro('hash'),
    rw('gpgkey-path'),
    ro('origin'),
    ro('certificate', undefined, { hidden: true }),
  ],
};

export const observer: RecordKind = {
  cls: 'Observer',
  rows: [
    ro('uuid'),
    setRw('host-uuids', 'hosts', { settable: true, whole: true }),
    ro('name-label'),
    ro('name-description'),
    mapRw('attributes', undefined, { whole: true }),
    setRw('endpoints', undefined, { settable: true, whole: true }),
    setRw('components', undefined, { settable: true, whole: true }),
    rw('enabled'),
  ],
};

export const caller: RecordKind = {
  cls: 'Caller',
  rows: [
    ro('uuid'),
    rw('name-label'),
    rw('name-description'),
    ro('user-agent'),
    ro('client-ip'),
    ro('last-access'),
    setRw('groups', undefined, { via: { add: 'Caller.add_group', remove: 'Caller.remove_group' } }),
    ro('rate-limit'),
  ],
};

export const rateLimit: RecordKind = {
  cls: 'Rate_limit',
  rows: [ro('uuid'), rw('name-label'), rw('name-description'), setRo('callers'), rw('burst-size'), rw('fill-rate')],
};

export const cluster: RecordKind = {
  cls: 'Cluster',
  rows: [
    ro('uuid'),
    setRo('cluster-hosts'),
    ro('cluster-token'),
    ro('cluster-stack'),
    ro('cluster-stack-version'),
    ro('token-timeout'),
    ro('token-timeout-coefficient'),
    setRo('pending-forget', undefined, { hidden: true }),
    setRo('allowed-operations'),
    setRo('current-operations'),
    ro('pool-auto-join'),
    mapRo('cluster-config'),
    mapRw('other-config'),
    ro('is-quorate'),
    ro('quorum'),
    ro('live-hosts'),
    ro('expected-hosts'),
  ],
};

export const clusterHost: RecordKind = {
  cls: 'Cluster_host',
  rows: [
    ro('uuid'),
    ro('cluster'),
    ro('PIF'),
    ro('host'),
    ro('enabled'),
    ro('joined'),
    ro('live'),
    ro('last-update-live'),
    setRo('allowed-operations'),
    setRo('current-operations'),
    mapRo('other-config'),
  ],
};
