/** xenvm's configuration as a description of the domain manager. */
import type { VmSpec } from '../../contracts/xenops.ts';
import type { XenvmConfig } from '../../wire/xenvm-config.ts';
import { parseXenvmDisk, parseXenvmDisplay, parseXenvmNic } from '../../wire/xenvm-devices.ts';
import { Mistake, type XenvmSetting } from '../../wire/xenvm-syntax.ts';
import { cpusText } from '../../wire/xl-cpus.ts';
import { vbdOf, vifOf } from './devices.ts';

export interface Ground {
  /** What it can do: `pv`, `pvh`, `hvm`. */
  readonly capabilities: readonly string[];
  /** Where interfaces are plugged that name no bridge. */
  readonly bridge: string;
}
/** Marks a description that this door made, with its settings as they were given, a line each. */
export const note = 'xenvm';
const mib = 1 << 20;
/** Keys that have a place among the free settings of the machine. */
const platformKeys: Readonly<Record<string, string>> = {
  ...{ pae: 'pae', apic: 'apic', acpi: 'acpi', nx: 'nx', viridian: 'viridian', hap: 'hap', nested: 'nested-virt' },
  ...{ usb: 'usb', hpet: 'hpet', 'timer-mode': 'timer_mode', 'vpt-align': 'vpt_align', videoram: 'videoram' },
  ...{ 'time-offset': 'timeoffset', 'cores-per-socket': 'cores-per-socket', serial: 'hvm_serial', sound: 'sound' },
};
/** What would be a promise to the guest's owner that nothing here keeps: refused unless it is off. */
const refused: Readonly<Record<string, string>> = {
  stubdom: 'device models run in processes of their own here, not in stub domains',
  'vtpm-instance': 'there are no virtual TPMs here yet',
  'flask-label': 'domains have no security labels here',
  'passthrough-io': 'ports of the host cannot be given to guests here',
  'passthrough-mmio': 'memory of the host cannot be given to guests here',
  pci: 'PCI devices cannot be given to guests here yet',
};

/** Throws XenvmError. `known`: the VM as it is registered, whose place among the others is kept. */
export function describe(config: XenvmConfig, id: string, ground: Ground, known?: VmSpec): VmSpec {
  refuse(config);
  const memory = memoryOf(config);
  const vcpus = config.number('vcpus') ?? 1;
  const name = config.text('name') || id;
  const { domainType, boot } = bootOf(config, ground);
  return {
    ...{ id, name, domainType, boot, memory, vcpus: { max: vcpus, current: vcpus } },
    onPoweroff: endOf(config.text('on_halt')),
    onReboot: endOf(config.text('on_restart')),
    onCrash: endOf(config.text('on_crash')),
    ...devicesOf(config, id, ground),
    platform: platformOf(config),
    autostart: known?.autostart ?? false,
    order: known?.order ?? 0,
    startDelayS: known?.startDelayS ?? 0,
    shutdownDelayS: known?.shutdownDelayS ?? 0,
    notes: { [note]: textOf(config) },
  };
}
/** The settings as lines of a file again; devices are in the description. */
export function textOf(config: XenvmConfig): string {
  const scalars = [...config.scalars].filter(([key]) => key !== 'uuid' && key !== 'startup');
  return scalars.map(([key, { value }]) => `${key} = ${value}\n`).join('') + listsText(config);
}
export const listsText = (config: XenvmConfig): string =>
  (['platform', 'cpus-affinity', 'extra-local-watch', 'extra-vm-watch', 'bios-string', 'extra-hvm'] as const)
    .flatMap((key) => config.list(key).map(({ value }) => `${key} = ${value}\n`))
    .join('');
const endOf = (word: string): VmSpec['onCrash'] =>
  word === 'destroy' || word === 'preserve' ? word : ('restart' as const);

function refuse(config: XenvmConfig): void {
  for (const key of ['stubdom', 'vtpm-instance', 'flask-label'])
    if (config.text(key) !== '') throw config.refuse(key, refused[key] ?? '');
  for (const key of ['passthrough-io', 'passthrough-mmio', 'pci'] as const)
    for (const setting of config.list(key)) throw config.refuse(setting, refused[key] ?? '');
}
function memoryOf(config: XenvmConfig): VmSpec['memory'] {
  const memory = config.number('memory');
  if (memory === undefined) throw config.refuse('memory', 'it is not set: the MiB that the VM gets');
  const most = config.number('memory-max') ?? memory;
  if (most < memory) throw config.refuse('memory-max', `${most} is less than memory, ${memory}`);
  return { staticMax: most * mib, dynamicMax: memory * mib, dynamicMin: memory * mib };
}
function bootOf(config: XenvmConfig, { capabilities }: Ground): Pick<VmSpec, 'domainType' | 'boot'> {
  const hvm = config.flag('hvm');
  const kernel = config.text('kernel');
  // The loader that Xen puts into every HVM guest is no kernel.
  if (hvm && (kernel === '' || kernel.endsWith('/hvmloader')))
    return { domainType: 'hvm', boot: { kind: 'bios', order: config.text('boot') } };
  if (!kernel.startsWith('/')) {
    const why =
      kernel === '' ? 'it is not set: a guest without hvm = true needs one' : `"${kernel}" is no absolute path`;
    throw config.refuse('kernel', why);
  }
  const ramdisk = config.text('initrd');
  const paravirtual = capabilities.includes('pv') ? 'pv' : capabilities.includes('pvh') ? 'pvh' : 'hvm';
  return {
    domainType: hvm ? 'hvm' : paravirtual,
    boot: { kind: 'kernel', kernel, cmdline: config.text('cmdline'), ...(ramdisk === '' ? {} : { ramdisk }) },
  };
}
function platformOf(config: XenvmConfig): Record<string, string> {
  const platform: Record<string, string> = {};
  const booleans = ['pae', 'apic', 'acpi', 'nx', 'viridian', 'hap', 'nested', 'usb'];
  for (const [key, name] of Object.entries(platformKeys))
    if (config.scalars.has(key)) platform[name] = booleans.includes(key) ? String(config.flag(key)) : config.text(key);
  const { keymap } = parseXenvmDisplay(config.text('display'));
  if (keymap !== undefined) platform['keymap'] = keymap;
  const model = config
    .list('nic')
    .map((s) => parseXenvmNic(s.value).model)
    .find((m) => m !== '');
  if (config.flag('hvm') && model !== undefined) platform['nic_type'] = model.replace(/^virtio-net(-pci)?$/, 'virtio');
  // The guest was promised a disk that needs no driver of ours.
  const fixed = config
    .list('disk')
    .map((s) => parseXenvmDisk(s.value))
    .filter((d) => !d.cdrom);
  if (config.flag('hvm') && fixed.length > 0 && fixed.every((d) => d.number.bus === 'hd')) platform['disk_bus'] = 'ide';
  const cpus = config.list('cpus-affinity').flatMap((s) => (s.value.split(':')[1] ?? '').split(',').map(Number));
  if (cpus.length > 0) platform['mask'] = cpusText([...new Set(cpus)].sort((a, b) => a - b));
  for (const { value } of config.list('platform')) {
    const equals = value.indexOf('=');
    platform[value.slice(0, equals)] = value.slice(equals + 1);
  }
  return platform;
}
function devicesOf(config: XenvmConfig, id: string, { bridge }: Ground): Pick<VmSpec, 'vbds' | 'vifs'> {
  const drives = new Map<number, string>();
  const vbds = config.list('disk').map((setting) => {
    const vbd = placed(config, setting, () => vbdOf(id, setting.value));
    const name = parseXenvmDisk(setting.value).device;
    const other = drives.get(vbd.position);
    const why = `${name} and ${other} are one drive: guests see whole drives`;
    if (other !== undefined) throw config.refuse(setting, why, setting.value.indexOf(name));
    drives.set(vbd.position, name);
    return vbd;
  });
  // Numbers that are chosen give way to those that are given, also further down.
  const given = config.list('nic').map((s) => parseXenvmNic(s.value).id);
  const taken = new Set<number>();
  const vifs = config.list('nic').map((setting, i) => {
    const others = given[i] === -1 ? new Set([...taken, ...given]) : taken;
    const vif = placed(config, setting, () => vifOf(id, setting.value, others, bridge));
    taken.add(vif.position);
    return vif;
  });
  return { vbds, vifs };
}
function placed<T>(config: XenvmConfig, setting: XenvmSetting, f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (error instanceof Mistake) throw config.refuse(setting, error.message, error.offset);
    throw error;
  }
}

/** Settings that are taken but have no effect here, as sentences with their place. */
export function inert(config: XenvmConfig): string[] {
  const settings = [...config.scalars.values(), ...config.list('extra-hvm'), ...config.list('cpuid')];
  return settings.filter(({ key }) => unused.has(key)).map((s) => config.refuse(s, 'it has no effect here').message);
}
const unused: ReadonlySet<string> = new Set([
  ...['no_mem_check', 'xci-service', 'disable-migrate', 'xci-cpuid-signature', 'extra-maxmem', 'smbios-pt', 'acpi-pt'],
  ...[
    'diskinfo-pt',
    'power-management',
    'oem-features',
    'inject-sci',
    'pci-script',
    'cdrom-pt',
    'qemu-dm-path',
    'vsnd',
  ],
  ...['vkbd', 'vfb', 'v4v', 'extra-hvm', 'cpuid'],
]);
