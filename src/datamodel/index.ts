/** Every class of the API, in the order of the reference. Adding one: its file, and its row here. */
import { auth } from './classes/auth.ts';
import { blob } from './classes/blob.ts';
import { Bond } from './classes/bond.ts';
import { Caller } from './classes/caller.ts';
import { Certificate } from './classes/certificate.ts';
import { Cluster } from './classes/cluster.ts';
import { Cluster_host } from './classes/cluster-host.ts';
import { console } from './classes/console.ts';
import { crashdump } from './classes/crashdump.ts';
import { data_source } from './classes/data-source.ts';
import { Diagnostics } from './classes/diagnostics.ts';
import { DR_task } from './classes/dr-task.ts';
import { Driver_variant } from './classes/driver-variant.ts';
import { event } from './classes/event.ts';
import { Feature } from './classes/feature.ts';
import { GPU_group } from './classes/gpu-group.ts';
import { host } from './classes/host.ts';
import { host_cpu } from './classes/host-cpu.ts';
import { host_crashdump } from './classes/host-crashdump.ts';
import { Host_driver } from './classes/host-driver.ts';
import { host_metrics } from './classes/host-metrics.ts';
import { host_patch } from './classes/host-patch.ts';
import { LVHD } from './classes/lvhd.ts';
import { message } from './classes/message.ts';
import { network } from './classes/network.ts';
import { network_sriov } from './classes/network-sriov.ts';
import { Observer } from './classes/observer.ts';
import { PBD } from './classes/pbd.ts';
import { PCI } from './classes/pci.ts';
import { PGPU } from './classes/pgpu.ts';
import { PIF } from './classes/pif.ts';
import { PIF_metrics } from './classes/pif-metrics.ts';
import { pool } from './classes/pool.ts';
import { pool_patch } from './classes/pool-patch.ts';
import { pool_update } from './classes/pool-update.ts';
import { probe_result } from './classes/probe-result.ts';
import { PUSB } from './classes/pusb.ts';
import { PVS_cache_storage } from './classes/pvs-cache-storage.ts';
import { PVS_proxy } from './classes/pvs-proxy.ts';
import { PVS_server } from './classes/pvs-server.ts';
import { PVS_site } from './classes/pvs-site.ts';
import { Rate_limit } from './classes/rate-limit.ts';
import { Repository } from './classes/repository.ts';
import { role } from './classes/role.ts';
import { SDN_controller } from './classes/sdn-controller.ts';
import { secret } from './classes/secret.ts';
import { session } from './classes/session.ts';
import { SM } from './classes/sm.ts';
import { SR } from './classes/sr.ts';
import { sr_stat } from './classes/sr-stat.ts';
import { subject } from './classes/subject.ts';
import { task } from './classes/task.ts';
import { tunnel } from './classes/tunnel.ts';
import { USB_group } from './classes/usb-group.ts';
import { user } from './classes/user.ts';
import { VBD } from './classes/vbd.ts';
import { VBD_metrics } from './classes/vbd-metrics.ts';
import { VDI } from './classes/vdi.ts';
import { vdi_nbd_server_info } from './classes/vdi-nbd-server-info.ts';
import { VGPU } from './classes/vgpu.ts';
import { VGPU_type } from './classes/vgpu-type.ts';
import { VIF } from './classes/vif.ts';
import { VIF_metrics } from './classes/vif-metrics.ts';
import { VLAN } from './classes/vlan.ts';
import { VM } from './classes/vm.ts';
import { VM_appliance } from './classes/vm-appliance.ts';
import { VM_group } from './classes/vm-group.ts';
import { VM_guest_metrics } from './classes/vm-guest-metrics.ts';
import { VM_metrics } from './classes/vm-metrics.ts';
import { VMPP } from './classes/vmpp.ts';
import { VMSS } from './classes/vmss.ts';
import { VTPM } from './classes/vtpm.ts';
import { VUSB } from './classes/vusb.ts';
import type { Class, RecordOf } from './dsl.ts';

export const model = {
  session,
  auth,
  subject,
  role,
  task,
  event,
  pool,
  pool_patch,
  pool_update,
  VM,
  VM_metrics,
  VM_guest_metrics,
  VMPP,
  VMSS,
  VM_appliance,
  DR_task,
  host,
  host_crashdump,
  host_patch,
  host_metrics,
  host_cpu,
  network,
  VIF,
  VIF_metrics,
  PIF,
  PIF_metrics,
  Bond,
  VLAN,
  SM,
  SR,
  sr_stat,
  probe_result,
  LVHD,
  VDI,
  VBD,
  VBD_metrics,
  PBD,
  crashdump,
  VTPM,
  console,
  user,
  data_source,
  blob,
  message,
  secret,
  tunnel,
  network_sriov,
  PCI,
  PGPU,
  GPU_group,
  VGPU,
  VGPU_type,
  PVS_site,
  PVS_server,
  PVS_proxy,
  PVS_cache_storage,
  Feature,
  SDN_controller,
  vdi_nbd_server_info,
  PUSB,
  USB_group,
  VUSB,
  Cluster,
  Cluster_host,
  Certificate,
  Diagnostics,
  Repository,
  Observer,
  VM_group,
  Host_driver,
  Driver_variant,
  Caller,
  Rate_limit,
} as const;

export type Model = typeof model;
export type ClassName = keyof Model;
/** The record of a class, internal fields included. */
export type Rec<C extends ClassName> = RecordOf<Model[C]>;
/** The same value, untyped: for code that works on any class. */
export const classes: Readonly<Record<string, Class>> = model;
/** The API version that this server speaks. */
export const apiVersion = { major: 2, minor: 23, vendor: 'XenSource' } as const;
/** The version of the database schema: raised when a class or field changes. */
export const schemaVersion = { major: 5, minor: 909 } as const;
