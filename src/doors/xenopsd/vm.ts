/**
 * The interface's VM as a description of the domain manager, and back. The record as it was given is kept in the description's
 * notes; what somebody else changed since, in the description, is put over it.
 */
import { isUuid } from '../../base/ids.ts';
import type { VmEntry, VmSpec } from '../../contracts/xenops.ts';
import { cpusText } from '../../wire/xl-cpus.ts';
import { DoorError } from './errors.ts';
import { type BuilderInfo, type Vm, type VmAction, type VmState, vmT } from './types.ts';

export const vmNote = 'xenopsd';
type End = VmSpec['onCrash'];
/** The parts of a description that a record decides. */
export type Described = Pick<
  VmSpec,
  'name' | 'domainType' | 'boot' | 'memory' | 'vcpus' | 'onPoweroff' | 'onReboot' | 'onCrash' | 'platform'
> & { readonly xenstoreData: Readonly<Record<string, string>> };

/** What the record says. */
export function describe(vm: Vm): Described {
  return {
    name: vm.name,
    domainType: domainType(vm.ty),
    boot: bootOf(vm),
    memory: { staticMax: vm.memory_static_max, dynamicMax: vm.memory_dynamic_max, dynamicMin: vm.memory_dynamic_min },
    vcpus: { max: vm.vcpu_max, current: vm.vcpus },
    onPoweroff: endOf(vm.on_shutdown),
    onReboot: endOf(vm.on_reboot),
    onCrash: endOf(vm.on_crash),
    platform: platformOf(vm),
    xenstoreData: vm.xsdata,
  };
}
/** The description for a record that is added or replaced: devices and what other doors keep stay. */
export function specOf(vm: Vm, known: VmSpec | undefined): VmSpec {
  if (!isUuid(vm.id)) throw new DoorError(['Internal_error', `vm.id: "${vm.id}" is no UUID`]);
  const shadow = vm.ty[0] === 'HVM' ? vm.ty[1].shadow_multiplier : 1;
  return {
    id: vm.id,
    ...describe(vm),
    ...(shadow > 1 ? { shadowMultiplier: shadow } : {}),
    vbds: known?.vbds ?? [],
    vifs: known?.vifs ?? [],
    autostart: known?.autostart ?? false,
    order: known?.order ?? 0,
    startDelayS: known?.startDelayS ?? 0,
    shutdownDelayS: known?.shutdownDelayS ?? 0,
    notes: { ...known?.notes, [vmNote]: JSON.stringify(vmT.encode(vm)) },
  };
}

function domainType(ty: BuilderInfo): VmSpec['domainType'] {
  return ty[0] === 'HVM' ? 'hvm' : ty[0] === 'PVH' ? 'pvh' : 'pv';
}
function bootOf({ ty, platformdata }: Vm): VmSpec['boot'] {
  if (ty[0] === 'HVM') {
    const { kernel, ramdisk, cmdline = '' } = platformdata;
    // The record has no place for a kernel that an HVM guest is started with.
    if (kernel) return { kind: 'kernel', kernel, cmdline, ...(ramdisk ? { ramdisk } : {}) };
    const { firmware, boot_order } = ty[1];
    const order = boot_order === '' ? 'cd' : boot_order;
    if (firmware === 'Bios') return { kind: 'bios', order };
    return { kind: 'uefi', order, secureBoot: platformdata['secureboot'] === 'true' };
  }
  const { boot } = ty[1];
  if (boot[0] === 'Direct') {
    const { kernel, cmdline, ramdisk } = boot[1];
    return { kind: 'kernel', kernel, cmdline, ...(ramdisk === null ? {} : { ramdisk }) };
  }
  const { bootloader, bootloader_args: args, extra_args, legacy_args } = boot[1];
  return { kind: 'bootloader', bootloader, args, cmdline: [extra_args, legacy_args].filter(Boolean).join(' ') };
}
function endOf(actions: readonly VmAction[]): End {
  if (actions.some((a) => a === 'Start' || a === 'Softreboot')) return 'restart';
  return actions.includes('Shutdown') && !actions.includes('Pause') ? 'destroy' : 'preserve';
}
const actionsOf: Readonly<Record<End, readonly VmAction[]>> = {
  destroy: ['Shutdown'],
  restart: ['Start'],
  preserve: ['Pause'],
};
/** Free settings: those that were given by name win over those that follow from other members. */
function platformOf(vm: Vm): Readonly<Record<string, string>> {
  const derived: Record<string, string> = {};
  if (vm.ty[0] === 'HVM') {
    const { video, timeoffset, acpi, hap, keymap, vnc_ip } = vm.ty[1];
    if (video === 'Standard_VGA') derived['vga'] = 'std';
    if (timeoffset !== '') derived['timeoffset'] = timeoffset;
    if (!acpi) derived['acpi'] = 'false';
    if (!hap) derived['hap'] = 'false';
    if (keymap !== null) derived['keymap'] = keymap;
    if (vnc_ip !== null) derived['vnclisten'] = vnc_ip;
  }
  const { priority, affinity } = vm.scheduler_params;
  if (priority) Object.assign(derived, { weight: String(priority[0]), cap: String(priority[1]) });
  const cpus = [...new Set(affinity.flat())].sort((a, b) => a - b);
  if (cpus.length > 0) derived['mask'] = cpusText(cpus);
  return { ...derived, ...vm.platformdata };
}

/** The record of a description. */
export function vmOf(spec: VmSpec): Vm {
  const noted = notedVm(spec);
  const plain = plainVm(spec);
  if (!noted) return plain;
  const said = describe(noted);
  const changed = (part: keyof Described) => JSON.stringify(said[part]) !== JSON.stringify(spec[part] ?? {});
  const ty = changed('boot') || changed('domainType') ? plain.ty : noted.ty;
  return {
    ...noted,
    id: spec.id,
    name: spec.name,
    memory_static_max: spec.memory.staticMax,
    memory_dynamic_max: spec.memory.dynamicMax,
    memory_dynamic_min: spec.memory.dynamicMin,
    vcpu_max: spec.vcpus.max,
    vcpus: spec.vcpus.current,
    ty: ty[0] === 'HVM' ? ['HVM', { ...ty[1], shadow_multiplier: spec.shadowMultiplier ?? 1 }] : ty,
    ...(changed('onPoweroff') ? { on_shutdown: plain.on_shutdown } : {}),
    ...(changed('onReboot') ? { on_reboot: plain.on_reboot } : {}),
    ...(changed('onCrash') ? { on_crash: plain.on_crash } : {}),
    ...(changed('platform') ? { platformdata: plain.platformdata } : {}),
    ...(changed('xenstoreData') ? { xsdata: plain.xsdata } : {}),
  };
}
function notedVm(spec: VmSpec): Vm | undefined {
  const note = spec.notes?.[vmNote];
  return note === undefined ? undefined : vmT.decode(JSON.parse(note), 'the note of the VM');
}
function plainVm(spec: VmSpec): Vm {
  return {
    id: spec.id,
    name: spec.name,
    ssidref: 0,
    xsdata: spec.xenstoreData ?? {},
    platformdata: spec.domainType === 'hvm' && spec.boot.kind === 'kernel' ? withKernel(spec) : spec.platform,
    bios_strings: {},
    ty: plainBuilder(spec),
    suppress_spurious_page_faults: false,
    machine_address_size: null,
    memory_static_max: spec.memory.staticMax,
    memory_dynamic_max: spec.memory.dynamicMax,
    memory_dynamic_min: spec.memory.dynamicMin,
    vcpu_max: spec.vcpus.max,
    vcpus: spec.vcpus.current,
    scheduler_params: { priority: null, affinity: [] },
    on_crash: actionsOf[spec.onCrash],
    on_shutdown: actionsOf[spec.onPoweroff],
    on_reboot: actionsOf[spec.onReboot],
    on_softreboot: ['Softreboot'],
    pci_msitranslate: true,
    pci_power_mgmt: false,
    has_vendor_device: spec.platform['has-vendor-device'] === 'true',
    generation_id: null,
  };
}
function withKernel({ platform, boot }: VmSpec): Readonly<Record<string, string>> {
  if (boot.kind !== 'kernel') return platform;
  return {
    ...platform,
    kernel: boot.kernel,
    cmdline: boot.cmdline,
    ...(boot.ramdisk ? { ramdisk: boot.ramdisk } : {}),
  };
}
function plainBuilder({ domainType: type, boot }: VmSpec): BuilderInfo {
  if (type === 'hvm') return ['HVM', { ...plainHvm, ...firmwareOf(boot) }];
  const screen = { framebuffer: true, framebuffer_ip: null, vncterm: true, vncterm_ip: null, pci_passthrough: false };
  const tag = type === 'pvh' ? 'PVH' : 'PV';
  if (boot.kind === 'bootloader') {
    const { bootloader, args, cmdline } = boot;
    const indirect = { bootloader, extra_args: cmdline, legacy_args: '', bootloader_args: args, devices: [] };
    return [tag, { boot: ['Indirect', indirect], ...screen }];
  }
  const { kernel, cmdline, ramdisk = null } = boot.kind === 'kernel' ? boot : { kernel: '', cmdline: '' };
  return [tag, { boot: ['Direct', { kernel, cmdline, ramdisk }], ...screen }];
}
const plainHvm = {
  hap: true,
  shadow_multiplier: 1,
  timeoffset: '',
  video_mib: 4,
  video: 'Cirrus',
  acpi: true,
  serial: null,
  keymap: null,
  vnc_ip: null,
  pci_emulations: [],
  pci_passthrough: false,
  boot_order: '',
  qemu_disk_cmdline: false,
  qemu_stubdom: false,
  firmware: 'Bios',
  tpm: null,
} as const;
function firmwareOf(boot: VmSpec['boot']) {
  if (boot.kind === 'bios') return { boot_order: boot.order };
  if (boot.kind !== 'uefi') return {};
  return { boot_order: boot.order, firmware: ['Uefi', { on_boot: 'Persist', backend: 'xapidb' }] as const };
}

const domainTypes = { hvm: 'Domain_HVM', pv: 'Domain_PV', pvh: 'Domain_PVH' } as const;
export function stateOf({ spec, state }: VmEntry, screenPort: number | undefined): VmState {
  const live = state.power === 'Running' || state.power === 'Paused';
  return {
    power_state: state.power,
    domids: state.domid >= 0 ? [state.domid] : [],
    consoles: state.consoles.map(({ protocol, socket }) => ({
      protocol: protocol === 'rfb' ? 'Rfb' : 'Vt100',
      port: (protocol === 'rfb' ? screenPort : undefined) ?? 0,
      path: socket,
    })),
    memory_target: state.memoryTarget,
    memory_actual: state.memoryActual,
    memory_limit: live ? spec.memory.staticMax : 0,
    vcpu_target: live ? state.vcpus : spec.vcpus.current,
    shadow_multiplier_target: spec.shadowMultiplier ?? 1,
    rtc_timeoffset: state.timeOffsetS === null ? (spec.platform['timeoffset'] ?? '') : String(state.timeOffsetS),
    uncooperative_balloon_driver: false,
    guest_agent: saidBy(state.guest, spec),
    xsdata_state: spec.xenstoreData ?? {},
    pv_drivers_detected: state.guest !== null,
    last_start_time: state.startedAt,
    hvm: spec.domainType === 'hvm',
    nomigrate: false,
    nested_virt: spec.platform['nested-virt'] === 'true',
    domain_type: live ? domainTypes[spec.domainType] : 'Domain_undefined',
    featureset: '',
    numa_optimised: false,
    numa_nodes: 0,
    numa_node_memory: [],
  };
}

/** What the guest's agent says, under the names of the keys by which Xen's agents say it. */
function saidBy(guest: VmEntry['state']['guest'], { vifs }: VmSpec): Record<string, string> {
  if (!guest) return {};
  const { os, memory } = guest;
  const kib = (bytes: number | undefined) => (bytes === undefined ? undefined : String(Math.floor(bytes / 1024)));
  const found: Record<string, string | undefined> = {
    'data/os_name': os['name'],
    'data/os_uname': os['uname'],
    'data/os_distro': os['distro'],
    'data/os_majorver': os['major'],
    'data/os_minorver': os['minor'],
    'data/host_name': guest.hostName,
    'data/meminfo_total': kib(memory?.total),
    'data/meminfo_free': kib(memory?.free),
  };
  for (const { position, mac } of vifs) {
    const count = { ipv4: 0, ipv6: 0 };
    for (const address of guest.addresses[mac.toLowerCase()] ?? []) {
      const family = address.includes(':') ? 'ipv6' : 'ipv4';
      found[`attr/vif/${position}/${family}/${count[family]++}`] = address;
    }
  }
  return Object.fromEntries(Object.entries(found).filter((entry): entry is [string, string] => !!entry[1]));
}
