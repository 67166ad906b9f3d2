/** The types of the xenopsd interface, as values. */
import { type Decoded, w } from './shape.ts';

export const powerState = w.variant({ Running: null, Halted: null, Suspended: null, Paused: null });
export const disk = w.variant({ Local: w.string, VDI: w.string });
export const pciAddress = w.record({ domain: w.int, bus: w.int, dev: w.int, fn: w.int });
export const vgpuGvtG = w.record({
  physical_pci_address: w.option(pciAddress),
  low_gm_sz: w.int,
  high_gm_sz: w.int,
  fence_sz: w.int,
  monitor_config_file: w.option(w.string),
});
export const vgpuNvidia = w.record({
  physical_pci_address: w.option(pciAddress),
  config_file: w.option(w.string),
  virtual_pci_address: w.usual(pciAddress, { domain: 0, bus: 0, dev: 11, fn: 0 }),
  type_id: w.option(w.string),
  uuid: w.option(w.string),
  vclass: w.option(w.string),
  extra_args: w.usual(w.string, ''),
});
export const vgpuMxgpu = w.record({
  physical_function: w.option(pciAddress),
  vgpus_per_pgpu: w.int,
  framebufferbytes: w.int,
});
export const nvramUefiVariablesOnboot = w.variant({ Persist: null, Reset: null });
export const nvramUefiVariablesT = w.record({
  on_boot: w.usual(nvramUefiVariablesOnboot, 'Persist'),
  backend: w.usual(w.string, 'xapidb'),
});
export const vmIgdPassthrough = w.variant({ GVT_d: null });
export const vmVideoCard = w.variant({
  Cirrus: null,
  Standard_VGA: null,
  Vgpu: null,
  IGD_passthrough: vmIgdPassthrough,
});
export const vmFirmwareType = w.variant({ Bios: null, Uefi: nvramUefiVariablesT });
export const vmTpm = w.variant({ Vtpm: w.string });
export const vmHvmInfo = w.record({
  hap: w.usual(w.boolean, true),
  shadow_multiplier: w.usual(w.number, 1.0),
  timeoffset: w.usual(w.string, ''),
  video_mib: w.usual(w.int, 4),
  video: w.usual(vmVideoCard, 'Cirrus'),
  acpi: w.usual(w.boolean, true),
  serial: w.option(w.string),
  keymap: w.option(w.string),
  vnc_ip: w.option(w.string),
  pci_emulations: w.usual(w.list(w.string), []),
  pci_passthrough: w.usual(w.boolean, false),
  boot_order: w.usual(w.string, ''),
  qemu_disk_cmdline: w.usual(w.boolean, false),
  qemu_stubdom: w.usual(w.boolean, false),
  firmware: w.usual(vmFirmwareType, 'Bios'),
  tpm: w.option(vmTpm),
});
export const vmPvDirectBoot = w.record({
  kernel: w.usual(w.string, ''),
  cmdline: w.usual(w.string, ''),
  ramdisk: w.option(w.string),
});
export const vmPvIndirectBoot = w.record({
  bootloader: w.usual(w.string, ''),
  extra_args: w.usual(w.string, ''),
  legacy_args: w.usual(w.string, ''),
  bootloader_args: w.usual(w.string, ''),
  devices: w.usual(w.list(disk), []),
});
export const vmPvBoot = w.variant({ Direct: vmPvDirectBoot, Indirect: vmPvIndirectBoot });
export const vmPvInfo = w.record({
  boot: vmPvBoot,
  framebuffer: w.usual(w.boolean, true),
  framebuffer_ip: w.option(w.string),
  vncterm: w.usual(w.boolean, true),
  vncterm_ip: w.option(w.string),
  pci_passthrough: w.usual(w.boolean, false),
});
export const vmBuilderInfo = w.variant({ HVM: vmHvmInfo, PV: vmPvInfo, PVinPVH: vmPvInfo, PVH: vmPvInfo });
export const vmId = w.string;
export const vmAction = w.variant({ Coredump: null, Shutdown: null, Start: null, Pause: null, Softreboot: null });
export const vmSchedulerParams = w.record({
  priority: w.option(w.tuple(w.int, w.int)),
  affinity: w.list(w.list(w.int)),
});
export const vmT = w.record({
  id: vmId,
  name: w.usual(w.string, 'unnamed'),
  ssidref: w.int,
  xsdata: w.map(w.string),
  platformdata: w.map(w.string),
  bios_strings: w.map(w.string),
  ty: vmBuilderInfo,
  suppress_spurious_page_faults: w.boolean,
  machine_address_size: w.option(w.int),
  memory_static_max: w.int,
  memory_dynamic_max: w.int,
  memory_dynamic_min: w.int,
  vcpu_max: w.int,
  vcpus: w.int,
  scheduler_params: vmSchedulerParams,
  on_crash: w.list(vmAction),
  on_shutdown: w.list(vmAction),
  on_reboot: w.list(vmAction),
  on_softreboot: w.usual(w.list(vmAction), ['Softreboot']),
  pci_msitranslate: w.boolean,
  pci_power_mgmt: w.boolean,
  has_vendor_device: w.usual(w.boolean, false),
  generation_id: w.option(w.string),
});
export const vmConsoleProtocol = w.variant({ Rfb: null, Vt100: null });
export const vmConsole = w.record({ protocol: vmConsoleProtocol, port: w.int, path: w.string });
export const vmDomainType = w.variant({
  Domain_HVM: null,
  Domain_PV: null,
  Domain_PVinPVH: null,
  Domain_PVH: null,
  Domain_undefined: null,
});
export const vmState = w.record({
  power_state: powerState,
  domids: w.list(w.int),
  consoles: w.list(vmConsole),
  memory_target: w.int,
  memory_actual: w.int,
  memory_limit: w.int,
  vcpu_target: w.int,
  shadow_multiplier_target: w.number,
  rtc_timeoffset: w.string,
  uncooperative_balloon_driver: w.boolean,
  guest_agent: w.map(w.string),
  xsdata_state: w.map(w.string),
  pv_drivers_detected: w.boolean,
  last_start_time: w.number,
  hvm: w.boolean,
  nomigrate: w.boolean,
  nested_virt: w.boolean,
  domain_type: vmDomainType,
  featureset: w.string,
  numa_optimised: w.boolean,
  numa_nodes: w.int,
  numa_node_memory: w.list(w.tuple(w.int, w.int)),
});
export const errorsError = w.variant({
  Already_exists: w.tuple(w.string, w.string),
  Does_not_exist: w.tuple(w.string, w.string),
  Unimplemented: w.string,
  Domain_not_built: null,
  Invalid_vcpus: w.int,
  Bad_power_state: w.tuple(powerState, powerState),
  Failed_to_acknowledge_shutdown_request: null,
  Failed_to_acknowledge_suspend_request: null,
  Failed_to_shutdown: w.tuple(w.string, w.number),
  Failed_to_suspend: w.tuple(w.string, w.number),
  Device_is_connected: null,
  Device_not_connected: null,
  Device_detach_rejected: w.tuple(w.string, w.string, w.string),
  Media_not_ejectable: null,
  Media_present: null,
  Media_not_present: null,
  No_bootable_device: null,
  Bootloader_error: w.tuple(w.string, w.string),
  Cannot_free_this_much_memory: w.tuple(w.int, w.int),
  Vms_failed_to_cooperate: w.list(w.string),
  IO_error: null,
  Failed_to_contact_remote_service: w.string,
  Hook_failed: w.tuple(w.string, w.string, w.string, w.string),
  Not_enough_memory: w.int,
  Cancelled: w.string,
  Storage_backend_error: w.tuple(w.string, w.list(w.string)),
  PCIBack_not_loaded: null,
  Failed_to_run_script: w.string,
  Failed_to_start_emulator: w.tuple(w.string, w.string, w.string),
  Ballooning_timeout_before_migration: null,
  Internal_error: w.string,
  Unknown_error: null,
});
export const queryT = w.record({
  name: w.string,
  vendor: w.string,
  version: w.string,
  features: w.list(w.string),
  instance_id: w.string,
});
export const networkT = w.variant({ Local: w.string, Remote: w.tuple(w.string, w.string), Sriov: pciAddress });
export const networkTs = w.list(networkT);
export const pciId = w.tuple(w.string, w.string);
export const pciT = w.record({
  id: pciId,
  position: w.int,
  address: pciAddress,
  msitranslate: w.option(w.boolean),
  power_mgmt: w.option(w.boolean),
});
export const pciState = w.record({ plugged: w.boolean });
export const vgpuImplementation = w.variant({ GVT_g: vgpuGvtG, Nvidia: vgpuNvidia, MxGPU: vgpuMxgpu, Empty: null });
export const vgpuId = w.tuple(w.string, w.string);
export const vgpuT = w.record({
  id: w.usual(vgpuId, ['', '']),
  position: w.usual(w.int, 0),
  virtual_pci_address: w.option(pciAddress),
  physical_pci_address: w.usual(pciAddress, { domain: 0, bus: 0, dev: 0, fn: 0 }),
  implementation: w.usual(vgpuImplementation, 'Empty'),
});
export const vgpuState = w.record({ active: w.boolean, plugged: w.boolean, emulator_pid: w.option(w.int) });
export const vusbId = w.tuple(w.string, w.string);
export const vusbT = w.record({
  id: vusbId,
  hostbus: w.string,
  hostport: w.string,
  version: w.string,
  path: w.string,
  speed: w.number,
});
export const vusbState = w.record({ plugged: w.boolean });
export const vbdMode = w.variant({ ReadOnly: null, ReadWrite: null });
export const vbdTy = w.variant({ CDROM: null, Disk: null, Floppy: null });
export const vbdId = w.tuple(w.string, w.string);
export const vbdQosClass = w.variant({
  Highest: null,
  High: null,
  Normal: null,
  Low: null,
  Lowest: null,
  Other: w.int,
});
export const vbdQosScheduler = w.variant({ RealTime: vbdQosClass, Idle: null, BestEffort: vbdQosClass });
export const vbdQos = w.variant({ Ionice: vbdQosScheduler });
export const deviceNumberBusType = w.variant({ Xen: null, Scsi: null, Floppy: null, Ide: null });
export const deviceNumberT = w.tuple(deviceNumberBusType, w.int, w.int);
export const vbdT = w.record({
  id: w.usual(vbdId, ['', '']),
  position: w.option(deviceNumberT),
  mode: w.usual(vbdMode, 'ReadWrite'),
  backend: w.option(disk),
  ty: w.usual(vbdTy, 'Disk'),
  unpluggable: w.usual(w.boolean, true),
  extra_backend_keys: w.usual(w.map(w.string), {}),
  extra_private_keys: w.usual(w.map(w.string), {}),
  qos: w.option(vbdQos),
  persistent: w.usual(w.boolean, true),
  can_attach_early: w.usual(w.boolean, false),
});
export const vbdState = w.record({
  active: w.boolean,
  plugged: w.boolean,
  qos_target: w.option(vbdQos),
  backend_present: w.option(disk),
});
export const vifPVSProxySite = w.string;
export const vifPVSProxyServer = w.record({ addresses: w.list(w.string), first_port: w.int, last_port: w.int });
export const vifPVSProxyInterface = w.string;
export const vifPVSProxyT = w.tuple(vifPVSProxySite, w.list(vifPVSProxyServer), vifPVSProxyInterface);
export const vifId = w.tuple(w.string, w.string);
export const vifIpv4Configuration = w.variant({
  Unspecified4: null,
  Static4: w.tuple(w.list(w.string), w.option(w.string)),
  DHCP4: null,
});
export const vifIpv6Configuration = w.variant({
  Unspecified6: null,
  Static6: w.tuple(w.list(w.string), w.option(w.string)),
  Autoconf6: null,
});
export const vifLockedAddresses = w.record({ ipv4: w.list(w.string), ipv6: w.list(w.string) });
export const vifLockingMode = w.variant({ Unlocked: null, Disabled: null, Locked: vifLockedAddresses });
export const vifTrunks = w.list(w.int);
export const vifT = w.record({
  id: w.usual(vifId, ['', '']),
  position: w.usual(w.int, 0),
  mac: w.usual(w.string, 'fe:ff:ff:ff:ff:ff'),
  carrier: w.usual(w.boolean, true),
  mtu: w.usual(w.int, 1500),
  rate: w.option(w.tuple(w.int, w.int)),
  backend: w.usual(networkT, ['Local', 'xenbr0']),
  other_config: w.usual(w.map(w.string), {}),
  locking_mode: w.usual(vifLockingMode, 'Unlocked'),
  extra_private_keys: w.usual(w.map(w.string), {}),
  ipv4_configuration: w.usual(vifIpv4Configuration, 'Unspecified4'),
  ipv6_configuration: w.usual(vifIpv6Configuration, 'Unspecified6'),
  pvs_proxy: w.option(vifPVSProxyT),
  vlan: w.option(w.int),
  trunks: w.usual(vifTrunks, []),
});
export const vifState = w.record({
  active: w.boolean,
  plugged: w.boolean,
  kthread_pid: w.int,
  media_present: w.boolean,
  device: w.option(w.string),
  pvs_rules_active: w.boolean,
});
export const metadataT = w.record({
  vm: vmT,
  vbds: w.usual(w.list(vbdT), []),
  vifs: w.usual(w.list(vifT), []),
  pcis: w.usual(w.list(pciT), []),
  vgpus: w.usual(w.list(vgpuT), []),
  vusbs: w.usual(w.list(vusbT), []),
  domains: w.option(w.string),
});
export const taskId = w.string;
export const taskAsyncResult = w.any;
export const taskCompletionT = w.record({ duration: w.number, result: w.option(taskAsyncResult) });
export const taskState = w.variant({ Pending: w.number, Completed: taskCompletionT, Failed: w.any });
export const taskT = w.record({
  id: taskId,
  dbg: w.string,
  ctime: w.number,
  state: taskState,
  subtasks: w.map(taskState),
  debug_info: w.map(w.string),
  backtrace: w.string,
  cancellable: w.boolean,
});
export const taskTList = w.list(taskT);
export const dynamicId = w.variant({
  Vm: vmId,
  Vbd: vbdId,
  Vif: vifId,
  Pci: pciId,
  Vgpu: vgpuId,
  Vusb: vusbId,
  Task: taskId,
});
export const dynamicBarrier = w.tuple(w.int, w.list(dynamicId));
export const hostCpuInfo = w.record({
  cpu_count: w.int,
  socket_count: w.int,
  threads_per_core: w.int,
  nr_nodes: w.int,
  vendor: w.string,
  speed: w.string,
  modelname: w.string,
  family: w.string,
  model: w.string,
  stepping: w.string,
  flags: w.string,
  features: w.string,
  features_pv: w.string,
  features_hvm: w.string,
  features_pv_host: w.string,
  features_hvm_host: w.string,
});
export const hostChipsetInfo = w.record({ iommu: w.boolean, hvm: w.boolean });
export const hostHypervisor = w.record({ version: w.string, capabilities: w.string });
export const hostT = w.record({ cpu_info: hostCpuInfo, hypervisor: hostHypervisor, chipset_info: hostChipsetInfo });
export const hostGuestAgentFeature = w.record({ name: w.string, licensed: w.boolean, parameters: w.map(w.string) });
export const hostNumaAffinityPolicy = w.variant({
  Any: null,
  Best_effort: null,
  Best_effort_hard: null,
  Prio_mem_only: null,
});
export const hostNumaAffinityPolicyOpt = w.option(hostNumaAffinityPolicy);
export const hostGuestAgentFeatureList = w.list(hostGuestAgentFeature);

export type PowerState = Decoded<typeof powerState>;
export type Disk = Decoded<typeof disk>;
export type Vm = Decoded<typeof vmT>;
export type VmAction = Decoded<typeof vmAction>;
export type VmState = Decoded<typeof vmState>;
export type BuilderInfo = Decoded<typeof vmBuilderInfo>;
export type Vbd = Decoded<typeof vbdT>;
export type VbdState = Decoded<typeof vbdState>;
export type Vif = Decoded<typeof vifT>;
export type VifState = Decoded<typeof vifState>;
export type Pci = Decoded<typeof pciT>;
export type Metadata = Decoded<typeof metadataT>;
export type Task = Decoded<typeof taskT>;
export type TaskState = Decoded<typeof taskState>;
export type DynamicId = Decoded<typeof dynamicId>;
export type DeviceNumber = Decoded<typeof deviceNumberT>;
export type XenopsdError = Decoded<typeof errorsError>;
