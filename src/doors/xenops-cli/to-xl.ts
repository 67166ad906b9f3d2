/** The records of a VM as an xm/xl file that describes it again. */
import { cpusText } from '../../wire/xl-cpus.ts';
import { writeXl, type XlWritten } from '../../wire/xl-write.ts';
import { deviceNumber, numberName } from '../xenopsd/device.ts';
import type { Metadata, Pci, Vbd, Vif, Vm, VmAction } from '../xenopsd/types.ts';

const mib = 2 ** 20;
type Settings = Record<string, XlWritten | undefined>;

export function xlText({ vm, vbds, vifs, pcis }: Metadata): string {
  const { priority, affinity } = vm.scheduler_params;
  const [cpus] = affinity;
  const memory = Math.floor(vm.memory_dynamic_max / mib);
  const most = Math.floor(vm.memory_static_max / mib);
  return writeXl({
    name: vm.name,
    uuid: vm.id,
    type: { HVM: 'hvm', PV: 'pv', PVH: 'pvh', PVinPVH: 'pvh' }[vm.ty[0]],
    ...(vm.ty[0] === 'PVinPVH' ? { pvshim: true } : {}),
    memory,
    maxmem: most === memory ? undefined : most,
    vcpus: vm.vcpus,
    maxvcpus: vm.vcpu_max === vm.vcpus ? undefined : vm.vcpu_max,
    cpus: cpus && cpus.length > 0 ? cpusText(cpus) : undefined,
    cpu_weight: priority?.[0],
    cap: priority && priority[1] > 0 ? priority[1] : undefined,
    ...bootSettings(vm),
    on_poweroff: word(vm.on_shutdown),
    on_reboot: word(vm.on_reboot),
    on_crash: word(vm.on_crash),
    disk: vbds.map((vbd) => diskText(vbd)),
    vif: vifs.map((vif) => vifText(vif, vm)),
    pci: pcis.map(pciText),
    ...(pcis.length > 0 ? { pci_msitranslate: vm.pci_msitranslate, pci_power_mgmt: vm.pci_power_mgmt } : {}),
    has_vendor_device: vm.has_vendor_device ? true : undefined,
  });
}
function word(actions: readonly VmAction[]): string {
  if (actions.some((a) => a === 'Start' || a === 'Softreboot')) return 'restart';
  return actions.includes('Shutdown') && !actions.includes('Pause') ? 'destroy' : 'preserve';
}
/** Switches of the machine: key, its name in the free settings, its usual value. */
const switches = [
  ...([
    ['pae', 'pae'],
    ['apic', 'apic'],
    ['nx', 'nx'],
    ['hpet', 'hpet'],
  ] as const),
  ...([
    ['acpi_s3', 'acpi_s3'],
    ['acpi_s4', 'acpi_s4'],
    ['nestedhvm', 'nested-virt'],
  ] as const),
] as const;
function bootSettings({ ty, platformdata }: Vm): Settings {
  const machine: Settings = {};
  for (const [key, name] of switches) {
    const value = platformdata[name];
    if (value !== undefined) machine[key] = value === 'true';
  }
  const viridian = platformdata['viridian'];
  if (viridian === 'true') machine['viridian'] = true;
  else if (viridian !== undefined) machine['viridian'] = viridian.split(',');
  const vga = platformdata['vga'] ?? (ty[0] === 'HVM' && ty[1].video === 'Standard_VGA' ? 'std' : undefined);
  if (vga !== undefined) machine['vga'] = cards[vga];
  if (platformdata['videoram'] !== undefined) machine['videoram'] = Number(platformdata['videoram']);
  machine['vncpasswd'] = platformdata['vncpasswd'];
  machine['vnc'] = platformdata['vnc'] === 'true';
  if (ty[0] === 'HVM') return { ...hvmSettings(ty[1], platformdata), ...machine };
  const { boot, framebuffer_ip: ip } = ty[1];
  machine['vnclisten'] = platformdata['vnclisten'] ?? ip ?? undefined;
  if (boot[0] === 'Direct') {
    const { kernel, ramdisk, cmdline } = boot[1];
    return { kernel, ramdisk: ramdisk ?? undefined, cmdline: cmdline || undefined, ...machine };
  }
  const { bootloader, bootloader_args: args, extra_args: cmdline } = boot[1];
  return {
    bootloader,
    bootloader_args: args === '' ? undefined : [args],
    cmdline: cmdline || undefined,
    ...machine,
  };
}
type Hvm = Extract<Vm['ty'], readonly ['HVM', unknown]>[1];
const cards: Readonly<Record<string, string>> = { std: 'stdvga', none: 'none', cirrus: 'cirrus' };
function hvmSettings(hvm: Hvm, platform: Vm['platformdata']): Settings {
  const { kernel, ramdisk, cmdline } = platform;
  return {
    boot: kernel === undefined ? hvm.boot_order || 'cd' : undefined,
    firmware: hvm.firmware === 'Bios' ? undefined : 'uefi',
    ...{ kernel, ramdisk, cmdline: cmdline || undefined },
    hap: hvm.hap ? undefined : false,
    acpi: hvm.acpi ? undefined : false,
    rtc_timeoffset: hvm.timeoffset || undefined,
    serial: hvm.serial ?? undefined,
    keymap: hvm.keymap ?? undefined,
    vnclisten: platform['vnclisten'] ?? hvm.vnc_ip ?? undefined,
  };
}
/** The path comes last: it may have commas. */
function diskText(vbd: Vbd): string {
  const named = deviceNumber(vbd.id[1])?.join() === vbd.position?.join();
  const vdev = vbd.position && !named ? numberName(vbd.position) : vbd.id[1];
  const access = vbd.mode === 'ReadOnly' ? 'r' : 'w';
  if (vbd.backend?.[0] === 'VDI') return `sm:${vbd.backend[1]},${vdev}${vbd.ty === 'CDROM' ? ':cdrom' : ''},${access}`;
  const parts = [`vdev=${vdev}`, `access=${access}`];
  if (vbd.ty === 'CDROM') parts.push('devtype=cdrom');
  const format = vbd.extra_private_keys['format'];
  if (format !== undefined) parts.push(`format=${format}`);
  if (vbd.backend) parts.push(`target=${vbd.backend[1]}`);
  return parts.join();
}
function vifText(vif: Vif, vm: Vm): string {
  const parts = [`mac=${vif.mac}`];
  if (vif.backend[0] === 'Local') parts.push(`bridge=${vif.backend[1]}`);
  const model = vm.platformdata['nic_type'];
  if (vm.ty[0] === 'HVM' && model !== undefined) parts.push(`model=${model}`);
  if (vif.mtu !== 1500) parts.push(`mtu=${vif.mtu}`);
  parts.push(`devid=${vif.position}`);
  const { rate } = vif;
  if (rate) parts.push(`rate=${Math.round((rate[0] * 1e6) / rate[1])}B/s@${rate[1]}us`);
  return parts.join();
}
function pciText({ address: { domain, bus, dev, fn }, msitranslate, power_mgmt }: Pci): string {
  const hex = (n: number, width: number) => n.toString(16).padStart(width, '0');
  const flags = [
    ...(msitranslate === null ? [] : [`msitranslate=${msitranslate ? 1 : 0}`]),
    ...(power_mgmt === null ? [] : [`power_mgmt=${power_mgmt ? 1 : 0}`]),
  ];
  return [`${hex(domain, 4)}:${hex(bus, 2)}:${hex(dev, 2)}.${fn}`, ...flags].join();
}
