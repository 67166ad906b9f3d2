/** Every family of generated commands. Names of columns that are no field of the record print nothing, so they are left out. */
import type { Family, RecordKind } from '../record.ts';
import * as device from './device.ts';
import * as host from './host.ts';
import * as network from './network.ts';
import * as pool from './pool.ts';
import * as storage from './storage.ts';
import * as vm from './vm.ts';

const family = (prefix: string, record: RecordKind, columns: string, filters: Family['filters'] = {}): Family => ({
  prefix,
  record,
  columns: columns ? columns.split(' ') : [],
  filters,
});

export const families: readonly Family[] = [
  family('pool', pool.pool, 'uuid name-label name-description master default-SR'),
  family('pif', network.pif, 'uuid device VLAN MAC network-uuid currently-attached host-uuid'),
  family('bond', network.bond, 'uuid master slaves'),
  family('vlan', network.vlan, 'uuid tagged-PIF untagged-PIF tag'),
  family('tunnel', network.tunnel, 'uuid transport-PIF access-PIF status'),
  family('vif', network.vif, 'uuid device vm-uuid network-uuid'),
  family('network', network.network, 'uuid name-label name-description bridge'),
  family('console', vm.console, 'uuid vm-uuid vm-name-label protocol location'),
  family('vm', vm.vm, 'name-label uuid power-state', { 'is-a-template': 'false' }),
  family('template', vm.vm, 'name-label name-description uuid', { 'is-a-template': 'true', 'is-a-snapshot': 'false' }),
  family('snapshot', vm.vm, 'name-label name-description uuid is-vmss-snapshot', { 'is-a-snapshot': 'true' }),
  family('host', host.host, 'uuid name-label name-description'),
  family('host-cpu', host.hostCpu, 'uuid number vendor speed utilisation'),
  family('host-crashdump', host.hostCrashdump, 'uuid timestamp size'),
  family('patch', host.poolPatch, 'uuid name-label name-description size hosts after-apply-guidance'),
  family(
    'update',
    host.poolUpdate,
    'uuid name-label name-description version installation-size hosts after-apply-guidance',
  ),
  family('vdi', storage.vdi, 'uuid name-label name-description virtual-size read-only sharable sr-uuid'),
  family('vbd', storage.vbd, 'uuid vm-uuid vm-name-label vdi-uuid device empty'),
  family('sr', storage.sr, 'uuid name-label name-description host type content-type'),
  family('sm', storage.sm, 'uuid type name-label name-description vendor copyright configuration'),
  family('pbd', storage.pbd, 'uuid host-uuid sr-uuid device-config currently-attached'),
  family('task', pool.task, 'uuid name-label name-description status progress'),
  family('subject', pool.subject, 'uuid subject-identifier other-config roles'),
  family('role', pool.role, 'uuid name description'),
  family(
    'vmss',
    vm.vmss,
    'uuid name-label name-description enabled type retained-snapshots frequency schedule last-run-time VMs',
  ),
  family('message', pool.message, ''),
  family('secret', pool.secret, ''),
  family('appliance', vm.vmAppliance, ''),
  family('vm-group', vm.vmGroup, 'uuid name-label name-description placement vm-uuids'),
  family('pgpu', device.pgpu, 'uuid pci-uuid vendor-name device-name gpu-group-uuid'),
  family('gpu-group', device.gpuGroup, 'uuid name-label name-description'),
  family('vgpu', device.vgpu, 'uuid vm-uuid device gpu-group-uuid'),
  family('vgpu-type', device.vgpuType, 'uuid vendor-name model-name max-resolution max-heads'),
  family('drtask', pool.drTask, ''),
  family('pvs-site', device.pvsSite, 'uuid name-label name-description pvs-uuid pvs-server-uuids'),
  family('pvs-server', device.pvsServer, 'uuid addresses pvs-site-uuid'),
  family('pvs-proxy', device.pvsProxy, 'uuid vif-uuid pvs-site-uuid currently-attached'),
  family('pvs-cache-storage', device.pvsCacheStorage, 'uuid host-uuid sr-uuid pvs-site-uuid size'),
  family('feature', host.feature, 'uuid name-label name-description enabled experimental version host-uuid'),
  family('sdn-controller', network.sdnController, 'uuid protocol address port'),
  family(
    'pusb',
    device.pusb,
    'uuid path product-id product-desc vendor-id vendor-desc serial version description speed',
  ),
  family('usb-group', device.usbGroup, 'uuid name-label name-description'),
  family('vusb', device.vusb, 'uuid vm-uuid usb-group-uuid'),
  family('network-sriov', network.networkSriov, 'uuid requires-reboot'),
  family(
    'cluster',
    pool.cluster,
    'uuid cluster-hosts cluster-token cluster-stack allowed-operations current-operations pool-auto-join cluster-config other-config',
  ),
  family(
    'cluster-host',
    pool.clusterHost,
    'uuid cluster host enabled allowed-operations current-operations other-config',
  ),
  family('certificate', host.certificate, 'uuid type name host not-before not-after fingerprint purpose'),
  family(
    'repository',
    pool.repository,
    'uuid name-label name-description binary-url source-url update hash gpgkey-path origin',
  ),
  family(
    'hostdriver-variant',
    host.driverVariant,
    'uuid driver-name name version priority host-uuid driver-uuid active selected status hw-present',
  ),
  family('hostdriver', host.hostDriver, 'uuid name host-uuid active-variant selected-variant variants variants-uuid'),
  family('vtpm', vm.vtpm, 'uuid vm-uuid'),
  family('observer', pool.observer, 'uuid name-label name-description host-uuids endpoints enabled'),
  family('pci', host.pci, 'uuid vendor-name device-name pci-id'),
  family('caller', pool.caller, 'uuid name-label name-description user-agent client-ip last-access groups rate-limit'),
  family('rate-limit', pool.rateLimit, 'uuid name-label callers burst-size fill-rate'),
];
