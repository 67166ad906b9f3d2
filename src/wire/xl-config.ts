/** An xm/xl file as a description of a VM: every setting is applied, or refused by name and place. */
import { parseXlCpus } from './xl-cpus.ts';
import { parseXlDisk, type XlDisk } from './xl-disk.ts';
import { type Element, flagOf, pairsOf, refuserOf } from './xl-elements.ts';
import { checkRest } from './xl-inert.ts';
import { XlReader } from './xl-reader.ts';
import { parseXl, type XlError, type XlPlace, type XlString } from './xl-syntax.ts';
import { parseXlPci, parseXlVif, type XlPci, type XlVif } from './xl-vif.ts';

/** A device with the place that an error about it names. */
export type Placed<T> = T & { readonly at: XlPlace };
export const xlActions = [
  ...(['destroy', 'restart', 'rename-restart', 'preserve'] as const),
  ...(['coredump-destroy', 'coredump-restart', 'soft-reset'] as const),
] as const;
export type XlAction = (typeof xlActions)[number];
export type XlBoot =
  | { readonly kind: 'firmware'; readonly order: string; readonly uefi: boolean }
  | { readonly kind: 'kernel'; readonly kernel: string; readonly ramdisk: string; readonly cmdline: string }
  | { readonly kind: 'bootloader'; readonly bootloader: string; readonly args: string; readonly cmdline: string };

export interface XlDomain {
  readonly name: string;
  /** Undefined: to be made. */
  readonly uuid: string | undefined;
  readonly type: 'hvm' | 'pv' | 'pvh';
  /** PV in a PVH container. */
  readonly shim: boolean;
  /** MiB; `maxMemory` is never less than `memory`. */
  readonly memory: number;
  readonly maxMemory: number;
  readonly vcpus: number;
  readonly maxVcpus: number;
  /** Processors of the host that each virtual CPU may use, in turn; those that have no entry may use any. */
  readonly cpus: readonly (readonly number[])[];
  readonly weight: number | undefined;
  readonly cap: number | undefined;
  readonly boot: XlBoot;
  readonly onPoweroff: XlAction;
  readonly onReboot: XlAction;
  readonly onCrash: XlAction;
  readonly disks: readonly Placed<XlDisk>[];
  readonly vifs: readonly Placed<XlVif>[];
  readonly pcis: readonly Placed<XlPci>[];
  readonly pciMsitranslate: boolean;
  readonly pciPowerManagement: boolean;
  readonly screen: {
    readonly vnc: boolean;
    /** `ADDRESS` or `ADDRESS:DISPLAY`. */
    readonly listen: string | undefined;
    readonly password: string | undefined;
    readonly keymap: string | undefined;
  };
  /** The graphics card and its memory (MiB). */
  readonly vga: 'none' | 'stdvga' | 'cirrus' | 'qxl' | undefined;
  readonly videoram: number | undefined;
  readonly serial: string | undefined;
  /** Seconds that the guest's clock is off; undefined: not said. */
  readonly timeOffset: number | undefined;
  readonly localtime: boolean;
  readonly vendorDevice: boolean;
  readonly hap: boolean;
  readonly acpi: boolean;
  /** Switches of the machine that are not at their usual value: `pae`, `nx`, `viridian`, … */
  readonly switches: Readonly<Record<string, string>>;
}

export interface XlReading {
  readonly domain: XlDomain;
  /** What does not stop it, with its place. */
  readonly warnings: readonly string[];
  /** The error for a setting that turns out to be impossible later. */
  refuse(key: string, why: string, at?: XlPlace): XlError;
}
/** Reads a whole file. Throws `XlError`. */
export function readXl(file: string, text: string): XlReading {
  const parsed = parseXl(file, text);
  const reader = new XlReader(parsed);
  const domain = domainOf(reader);
  const warnings = [...parsed.warnings, ...checkRest(reader)];
  return { domain, warnings, refuse: (key, why, at) => reader.error(key, why, at) };
}

const uuidPattern = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const mostMib = 2 ** 24;

function domainOf(r: XlReader): XlDomain {
  const name = r.string('name') ?? 'unnamed';
  if (name === '' || /[\0-\x1f]/.test(name)) throw r.error('name', 'it is empty, or has control characters');
  const type = typeOf(r);
  const memory = r.number('memory', 1, mostMib) ?? 64;
  const maxMemory = r.number('maxmem', 1, mostMib) ?? memory;
  if (maxMemory < memory) throw r.error('maxmem', `${maxMemory} is less than memory, ${memory}`);
  const vcpus = r.number('vcpus', 1, 4096) ?? 1;
  const maxVcpus = r.number('maxvcpus', 1, 4096) ?? vcpus;
  if (maxVcpus < vcpus) throw r.error('maxvcpus', `${maxVcpus} is less than vcpus, ${vcpus}`);
  const shim = r.boolean('pvshim') ?? false;
  if (shim && type !== 'pvh') throw r.error('pvshim', 'the shim is for type = "pvh"');
  return {
    name,
    uuid: uuidOf(r),
    type,
    shim,
    memory,
    maxMemory,
    vcpus,
    maxVcpus,
    cpus: cpusOf(r, maxVcpus),
    weight: r.number('cpu_weight', 1, 65_535),
    cap: r.number('cap', 0, 65_535),
    boot: bootOf(r, type),
    ...actionsOf(r),
    ...devicesOf(r),
    screen: screenOf(r),
    vga: vgaOf(r),
    videoram: r.number('videoram', 1, 1024),
    serial: r.strings('serial')[0]?.text,
    timeOffset: offsetOf(r),
    localtime: r.boolean('localtime') ?? false,
    vendorDevice: r.has('has_vendor_device')
      ? (r.boolean('has_vendor_device') ?? false)
      : r.word('vendor_device', ['none', 'xenserver']) === 'xenserver',
    hap: r.boolean('hap') ?? true,
    acpi: r.boolean('acpi') ?? true,
    switches: switchesOf(r),
  };
}

function uuidOf(r: XlReader): string | undefined {
  const text = r.string('uuid');
  if (text === undefined || text === '') return undefined;
  if (!uuidPattern.test(text)) throw r.error('uuid', `"${text}" is no UUID`);
  return text
    .toLowerCase()
    .replaceAll('-', '')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
/** `type`, or `builder`, which must not say otherwise; else a kernel or boot loader tells that it is PV. */
function typeOf(r: XlReader): XlDomain['type'] {
  const type = r.word('type', ['pv', 'pvh', 'hvm']);
  const builder = r.word('builder', ['generic', 'linux', 'hvm']);
  const built = builder && (builder === 'hvm' ? 'hvm' : 'pv');
  if (type && built && type !== built) throw r.error('builder', `"${builder}" contradicts type, "${type}"`);
  if (type ?? built) return type ?? built ?? 'hvm';
  return r.has('kernel') || r.has('bootloader') ? 'pv' : 'hvm';
}
function bootOf(r: XlReader, type: XlDomain['type']): XlBoot {
  const order = r.string('boot') ?? 'cd';
  if (!/^[acdn]*$/.test(order))
    throw r.error('boot', `"${order}": the order is made of c (disk), d (CD) and n (network)`);
  const uefi = firmwareOf(r, type);
  const cmdline = cmdlineOf(r);
  const ramdisk = pathOf(r, 'ramdisk') ?? '';
  const loader = r.string('bootloader') || undefined;
  const args = r.strings('bootloader_args').map((s) => s.text);
  // xm named the firmware so.
  const isFirmware = type === 'hvm' && /(^|\/)hvmloader$/.test(r.string('kernel') ?? '');
  const kernel = isFirmware ? undefined : pathOf(r, 'kernel');
  if (loader !== undefined && kernel !== undefined) throw r.error('bootloader', 'there is a kernel too; choose one');
  if (kernel !== undefined) return { kind: 'kernel', kernel, ramdisk, cmdline };
  if (ramdisk !== '') throw r.error('ramdisk', 'there is no kernel');
  if (loader !== undefined) {
    if (type === 'hvm') throw r.error('bootloader', 'an HVM guest has firmware; boot loaders are for pv and pvh');
    return { kind: 'bootloader', bootloader: loader, args: args.join(' '), cmdline };
  }
  if (type !== 'hvm') throw r.error('kernel', `a ${type} guest needs kernel or bootloader`);
  if (cmdline !== '')
    throw r.error(r.has('cmdline') ? 'cmdline' : r.has('extra') ? 'extra' : 'root', 'there is no kernel');
  return { kind: 'firmware', order: order === '' ? 'cd' : order, uefi };
}
function firmwareOf(r: XlReader, type: XlDomain['type']): boolean {
  const words = ['bios', 'seabios', 'rombios', 'uefi', 'ovmf'] as const;
  const firmware = r.word('firmware', words);
  const bios = r.word('bios', ['seabios', 'rombios', 'ovmf']);
  if (firmware !== undefined && type !== 'hvm')
    throw r.error('firmware', `a ${type} guest has none; use kernel or bootloader`);
  return firmware === undefined ? bios === 'ovmf' : firmware === 'uefi' || firmware === 'ovmf';
}
function pathOf(r: XlReader, key: string): string | undefined {
  const path = r.string(key);
  if (path === undefined || path === '') return undefined;
  if (!path.startsWith('/') || path.includes('\0')) throw r.error(key, `"${path}" is no absolute path`);
  return path;
}
/** `cmdline` replaces `root` and `extra`; xm's network settings become `ip=` and `nfsroot=`. */
function cmdlineOf(r: XlReader): string {
  const whole = r.string('cmdline');
  const [root, extra] = [r.string('root'), r.string('extra')];
  const [ip, mask, gateway, host, dhcp] = ['ip', 'netmask', 'gateway', 'hostname', 'dhcp'].map(
    (k) => r.string(k) ?? '',
  );
  const [server, path] = ['nfs_server', 'nfs_root'].map((k) => r.string(k) ?? '');
  if (whole !== undefined) return whole;
  const words = root ? [`root=${root}`] : [];
  if (ip || gateway || mask) words.push(`ip=${ip}:${server}:${gateway}:${mask}:${host}:eth0:${dhcp || 'off'}`);
  else if (dhcp === 'dhcp' || dhcp === 'on') words.push('ip=dhcp');
  if (path) words.push(`nfsroot=${server}:${path}`);
  return [...words, ...(extra ? [extra] : [])].join(' ');
}
function actionsOf(r: XlReader) {
  const restart = r.word('restart', ['never', 'always', 'onreboot']);
  const usual = restart === 'always' ? 'restart' : 'destroy';
  return {
    onPoweroff: r.word('on_poweroff', xlActions) ?? usual,
    onReboot: r.word('on_reboot', xlActions) ?? (restart === 'never' ? 'destroy' : 'restart'),
    onCrash: r.word('on_crash', xlActions) ?? usual,
  };
}

function devicesOf(r: XlReader) {
  // An interface with nothing said of it is one all the same.
  const each = <T>(key: string, parse: (s: XlString, refuse: ReturnType<typeof refuserOf>) => T): Placed<T>[] =>
    r.strings(key, key === 'vif').map((s) => ({ ...parse(s, refuserOf(r.file, key, s)), at: s.at }));
  const disks = each('disk', (s, refuse) => parseXlDisk(s.text, refuse));
  const seen = new Map<string, XlPlace>();
  for (const { number, vdev, at } of disks) {
    const id = `${number.bus}.${number.disk}.${number.partition}`;
    const before = seen.get(id);
    if (before) throw r.error('disk', `the drive ${vdev} is there twice, also in line ${before.line}`, at);
    seen.set(id, at);
  }
  return {
    disks,
    vifs: each('vif', parseXlVif),
    pcis: each('pci', parseXlPci),
    pciMsitranslate: r.boolean('pci_msitranslate') ?? true,
    pciPowerManagement: r.boolean('pci_power_mgmt') ?? false,
  };
}
/** A list binds one after the other, a string or a number all of them. */
function cpusOf(r: XlReader, maxVcpus: number): (readonly number[])[] {
  const value = r.value('cpus');
  if (value?.kind === 'number') return Array.from({ length: maxVcpus }, () => [value.value]);
  const lists = r.strings('cpus').map((s) => parseXlCpus(s.text, refuserOf(r.file, 'cpus', s)));
  if (value?.kind === 'list' && lists.length > 0 && lists.includes(undefined))
    throw r.error('cpus', '"all" in a list is not supported; write cpus = "all"');
  const known = lists.filter((l) => l !== undefined);
  const [first] = known;
  return value?.kind === 'string' && first ? Array.from({ length: maxVcpus }, () => first) : known;
}

const vfbKeys = [
  ...['vnc', 'vnclisten', 'vncdisplay', 'vncunused', 'vncpasswd', 'sdl', 'display', 'xauthority', 'opengl', 'keymap'],
  'type',
];
function screenOf(r: XlReader): XlDomain['screen'] {
  const plain = {
    vnc: r.boolean('vnc') ?? true,
    listen: listenOf(r.string('vnclisten'), r.number('vncdisplay', 0, 59_635), r.boolean('vncunused')),
    password: r.string('vncpasswd') || undefined,
    keymap: r.string('keymap') || undefined,
  };
  const [vfb, second] = r.strings('vfb');
  if (second) throw r.error('vfb', 'one screen is all that a guest has', second.at);
  if (!vfb) return plain;
  const refuse = refuserOf(r.file, 'vfb', vfb);
  const pairs = pairsOf(vfb, vfbKeys, refuse);
  const refuseOne = (e: Element | undefined, wrong: boolean) => {
    if (e && wrong) throw refuse(e.index, `${e.key}=${e.value} is not supported`);
  };
  for (const key of ['sdl', 'opengl']) refuseOne(pairs.get(key), flagOf(pairs.get(key), false, refuse));
  refuseOne(pairs.get('type'), (pairs.get('type')?.value ?? 'vnc') !== 'vnc');
  const display = pairs.get('vncdisplay');
  if (display && !/^[0-9]{1,5}$/.test(display.value))
    throw refuse(display.valueIndex, `"${display.value}" is no display`);
  return {
    vnc: flagOf(pairs.get('vnc'), true, refuse),
    listen: listenOf(
      pairs.get('vnclisten')?.value,
      display && Number(display.value),
      flagOf(pairs.get('vncunused'), false, refuse),
    ),
    password: pairs.get('vncpasswd')?.value || undefined,
    keymap: pairs.get('keymap')?.value ?? plain.keymap,
  };
}
/** `ADDRESS` or `ADDRESS:DISPLAY`. */
function listenOf(listen: string | undefined, display: number | undefined, unused: boolean | undefined) {
  const address = listen === '' ? undefined : listen;
  if (display === undefined || unused === true) return address;
  return `${address ?? '127.0.0.1'}:${display}`;
}
function vgaOf(r: XlReader): XlDomain['vga'] {
  const vga = r.word('vga', ['none', 'stdvga', 'cirrus', 'qxl']);
  return vga ?? (r.boolean('stdvga') === true ? 'stdvga' : undefined);
}
function offsetOf(r: XlReader): number | undefined {
  const text = r.string('rtc_timeoffset');
  if (text === undefined) return undefined;
  if (!/^-?[0-9]{1,9}$/.test(text)) throw r.error('rtc_timeoffset', `"${text}" is no number of seconds`);
  return Number(text);
}

/** Key → its usual value; others are handed to the machine under the name beside it. */
const switches: Readonly<Record<string, readonly [string, boolean]>> = {
  pae: ['pae', true],
  apic: ['apic', true],
  nx: ['nx', true],
  hpet: ['hpet', true],
  acpi_s3: ['acpi_s3', true],
  acpi_s4: ['acpi_s4', true],
  nestedhvm: ['nested-virt', false],
};
const viridianGroups: ReadonlySet<string> = new Set([
  ...['base', 'freq', 'time_ref_count', 'reference_tsc', 'hcall_remote_tlb_flush', 'apic_assist', 'crash_ctl', 'synic'],
  ...['stimer', 'hcall_ipi', 'ex_processor_masks', 'no_vp_limit', 'cpu_hotplug', 'defaults', 'all'],
]);
function switchesOf(r: XlReader): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [key, [name, usual]] of Object.entries(switches)) {
    const value = r.boolean(key);
    if (value !== undefined && value !== usual) found[name] = String(value);
  }
  const viridian = r.value('viridian');
  if (viridian?.kind === 'list') {
    const groups = r.strings('viridian');
    for (const { text, at } of groups)
      if (!viridianGroups.has(text.replace(/^!/, ''))) throw r.error('viridian', `there is no group "${text}"`, at);
    if (groups.length > 0) found['viridian'] = groups.map((group) => group.text).join();
  } else if (r.boolean('viridian') === true) found['viridian'] = 'true';
  return found;
}
