/** Names that `xe` has for the fields of hosts and their parts. */
import { mapRo, mapRw, type RecordKind, ro, rw, setRo, setRw } from '../record.ts';

export const host: RecordKind = {
  cls: 'host',
  rows: [
    ro('uuid'),
    rw('name-label'),
    rw('name-description'),
    setRo('allowed-operations'),
    setRo('current-operations'),
    ro('enabled'),
    ro('display'),
    ro('API-version-major'),
    ro('API-version-minor'),
    ro('API-version-vendor'),
    mapRo('API-version-vendor-implementation'),
    mapRw('logging'),
    rw('suspend-image-sr-uuid', 'suspend_image_sr'),
    rw('crash-dump-sr-uuid', 'crash_dump_sr'),
    mapRo('software-version'),
    setRo('capabilities'),
    mapRw('other-config'),
    mapRo('cpu_info'),
    mapRo('chipset-info'),
    ro('hostname'),
    ro('address'),
    rw('https-only'),
    setRo('supported-bootloaders'),
    ro('blobs'),
    ro('memory-overhead'),
    ro('memory-total', 'metrics>memory_total'),
    ro('memory-free', 'metrics>memory_free'),
    ro('memory-free-computed', undefined, { call: 'host.compute_free_memory', expensive: true }),
    ro('host-metrics-live', 'metrics>live'),
    setRo('patches', undefined, { deprecated: true }),
    setRo('updates'),
    ro('ha-statefiles'),
    ro('ha-network-peers'),
    ro('external-auth-type'),
    ro('external-auth-service-name'),
    mapRo('external-auth-configuration'),
    ro('edition'),
    mapRo('license-server'),
    ro('power-on-mode'),
    mapRo('power-on-config'),
    ro('local-cache-sr'),
    setRw('tags'),
    rw('ssl-legacy'),
    mapRw('guest_VCPUs_params'),
    setRo('virtual-hardware-platform-versions'),
    ro('control-domain-uuid', 'control_domain'),
    setRo('resident-vms', 'resident_VMs'),
    setRo('updates-requiring-reboot'),
    setRo('features'),
    rw('iscsi_iqn'),
    rw('multipathing'),
    rw('uefi-certificates', undefined, { hidden: true }),
    rw('numa-affinity-policy'),
    ro('pending-guidances'),
    ro('tls-verification-enabled'),
    ro('last-software-update'),
    ro('latest-synced-updates-applied'),
    ro('pending-guidances-recommended'),
    ro('pending-guidances-full'),
    ro('last-update-hash'),
    ro('ssh-enabled'),
    rw('ssh-enabled-timeout'),
    ro('ssh-expiry'),
    rw('console-idle-timeout'),
    rw('ssh-auto-mode'),
    rw('max-cstate'),
    ro('secure-boot'),
    rw('ntp-mode'),
    setRo('ntp-custom-servers', undefined, { settable: true }),
    rw('timezone'),
  ],
};

export const hostCpu: RecordKind = {
  cls: 'host_cpu',
  rows: [
    ro('uuid'),
    ro('host-uuid', 'host'),
    ro('number'),
    ro('vendor'),
    ro('speed'),
    ro('model'),
    ro('family'),
    ro('modelname'),
    ro('stepping'),
    ro('flags'),
    ro('utilisation', 'host', { derived: true, expensive: true }),
  ],
};

export const hostCrashdump: RecordKind = {
  cls: 'host_crashdump',
  rows: [ro('uuid'), ro('host-uuid', 'host'), ro('timestamp'), ro('size')],
};

export const poolPatch: RecordKind = {
  cls: 'pool_patch',
  rows: [
    ro('uuid'),
    ro('name-label'),
    ro('name-description'),
    ro('size'),
    setRo('hosts', undefined, { derived: true }),
    setRo('after-apply-guidance'),
    ro('update', 'pool_update'),
  ],
};

export const poolUpdate: RecordKind = {
  cls: 'pool_update',
  rows: [
    ro('uuid'),
    ro('name-label'),
    ro('name-description'),
    ro('version'),
    ro('installation-size'),
    setRo('hosts'),
    setRo('after-apply-guidance'),
    ro('enforce-homogeneity'),
  ],
};

export const hostDriver: RecordKind = {
  cls: 'Host_driver',
  rows: [
    ro('uuid'),
    ro('name'),
    ro('type'),
    ro('description'),
    ro('info'),
    ro('host-uuid', 'host'),
    ro('active-variant', undefined, { derived: true }),
    ro('selected-variant', undefined, { derived: true }),
    ro('variants', undefined, { derived: true }),
    ro('variants-dev-status', undefined, { derived: true }),
    ro('variants-uuid', undefined, { derived: true }),
    ro('variants-hw-present', undefined, { derived: true }),
  ],
};

export const driverVariant: RecordKind = {
  cls: 'Driver_variant',
  rows: [
    ro('uuid'),
    ro('name'),
    ro('version'),
    ro('status'),
    ro('priority'),
    ro('active', undefined, { derived: true }),
    ro('selected', undefined, { derived: true }),
    ro('driver-uuid', 'driver'),
    ro('driver-name', 'driver>name'),
    ro('host-uuid', 'driver>host'),
    ro('hw-present', 'hardware_present'),
  ],
};

export const pci: RecordKind = {
  cls: 'PCI',
  rows: [
    ro('uuid'),
    ro('vendor-name'),
    ro('device-name'),
    ro('driver-name'),
    ro('host-uuid', 'host'),
    ro('host-name-label', 'host>name_label'),
    ro('pci-id'),
    setRo('dependencies', 'pci_id', { derived: true }),
    mapRw('other-config'),
  ],
};

export const feature: RecordKind = {
  cls: 'Feature',
  rows: [
    ro('uuid'),
    ro('name-label'),
    ro('name-description'),
    ro('enabled'),
    ro('experimental'),
    ro('version'),
    ro('host-uuid', 'host'),
  ],
};

export const certificate: RecordKind = {
  cls: 'Certificate',
  rows: [
    ro('uuid'),
    ro('type'),
    ro('name'),
    ro('host'),
    ro('not-before'),
    ro('not-after'),
    ro('fingerprint'),
    ro('fingerprint_sha256'),
    ro('fingerprint_sha1'),
    ro('purpose'),
  ],
};
