/** What an xm/xl file describes, as the records that xenopsd takes. What no ground does is refused by name and place. */
import type { Ids } from '../../base/ids.ts';
import type { Placed, XlAction, XlDomain, XlReading } from '../../wire/xl-config.ts';
import type { XlDisk } from '../../wire/xl-disk.ts';
import type { Element } from '../../wire/xl-elements.ts';
import type { XlPlace } from '../../wire/xl-syntax.ts';
import type { XlPci, XlVif } from '../../wire/xl-vif.ts';
import { deviceNumber } from '../xenopsd/device.ts';
import {
  type BuilderInfo,
  type Metadata,
  metadataT,
  type Pci,
  type Vbd,
  type Vif,
  type VmAction,
  vbdT,
  vifT,
} from '../xenopsd/types.ts';

const mib = 2 ** 20;

/** `zoneS`: by how many seconds local time is ahead of UTC, for `localtime = 1`. Throws `XlError`. */
export function metadataOf(reading: XlReading, ids: Ids, zoneS: number): Metadata {
  const { domain: d, refuse } = reading;
  const id = d.uuid ?? ids.uuid();
  const [first] = d.cpus;
  if (first && (d.cpus.length < d.maxVcpus || d.cpus.some((list) => list.join() !== first.join())))
    throw refuse('cpus', 'virtual CPUs cannot be bound one by one; write one string for all of them');
  const vifs = d.vifs.map((vif, i) => vifOf(reading, id, vif, i, ids));
  const taken = new Map<number, XlPlace>();
  for (const [i, vif] of vifs.entries()) {
    const at = d.vifs[i]?.at;
    if (taken.has(vif.position)) throw refuse('vif', `the devid ${vif.position} is there twice`, at);
    if (at) taken.set(vif.position, at);
  }
  const vm = {
    id,
    name: d.name,
    ssidref: 0,
    xsdata: {},
    platformdata: platformOf(reading),
    bios_strings: {},
    ty: builderOf(reading, zoneS),
    suppress_spurious_page_faults: false,
    machine_address_size: null,
    memory_static_max: d.maxMemory * mib,
    memory_dynamic_max: d.memory * mib,
    memory_dynamic_min: d.memory * mib,
    vcpu_max: d.maxVcpus,
    vcpus: d.vcpus,
    scheduler_params: {
      priority: d.weight === undefined && d.cap === undefined ? null : ([d.weight ?? 256, d.cap ?? 0] as const),
      affinity: d.cpus.slice(0, 1),
    },
    on_shutdown: actionOf(reading, 'on_poweroff', d.onPoweroff),
    on_reboot: actionOf(reading, 'on_reboot', d.onReboot),
    on_crash: actionOf(reading, 'on_crash', d.onCrash),
    on_softreboot: ['Softreboot'] as const,
    pci_msitranslate: d.pciMsitranslate,
    pci_power_mgmt: d.pciPowerManagement,
    has_vendor_device: d.vendorDevice,
    generation_id: null,
  };
  const pcis = d.pcis.map((pci, i) => pciOf(reading, id, pci, i));
  const vbds = vbdsOf(reading, id);
  return { vm, vbds, vifs, pcis, vgpus: [], vusbs: [], domains: null };
}
/** As text, for `VM.import_metadata`. */
export const metadataText = (metadata: Metadata): string => JSON.stringify(metadataT.encode(metadata));

function actionOf({ refuse }: XlReading, key: string, action: XlAction): readonly VmAction[] {
  if (action === 'destroy') return ['Shutdown'];
  if (action === 'restart') return ['Start'];
  if (action === 'preserve') return ['Pause'];
  throw refuse(key, `"${action}" is not supported; it may be destroy, restart, preserve`);
}
const cards = { none: 'none', stdvga: 'std', cirrus: 'cirrus' } as const;
function platformOf(reading: XlReading): Record<string, string> {
  const { domain: d, refuse } = reading;
  const platform: Record<string, string> = { ...d.switches };
  if (d.vga === 'qxl') throw refuse('vga', '"qxl" is not supported; it may be none, stdvga, cirrus');
  if (d.vga !== undefined) platform['vga'] = cards[d.vga];
  if (d.screen.vnc) Object.assign(platform, screenOf(d.screen));
  if (d.videoram !== undefined) platform['videoram'] = String(d.videoram);
  if (d.type === 'hvm' && d.boot.kind === 'kernel') {
    const { kernel, cmdline, ramdisk } = d.boot;
    Object.assign(platform, { kernel, cmdline, ...(ramdisk === '' ? {} : { ramdisk }) });
  }
  const fixed = d.disks.filter((disk) => disk.type === 'disk');
  // The guest was promised a disk that needs no driver of ours.
  const ide = d.type === 'hvm' && d.boot.kind === 'firmware' && fixed.every((disk) => disk.number.bus === 'hd');
  if (ide && fixed.length > 0) platform['disk_bus'] = 'ide';
  const model = modelOf(reading);
  if (model !== undefined) platform['nic_type'] = model;
  return platform;
}
/** Where the domain manager's host offers the screen; the type of a paravirtual guest has no other place for it. */
function screenOf({ listen, password }: XlDomain['screen']): Record<string, string> {
  return {
    vnc: 'true',
    ...(listen === undefined ? {} : { vnclisten: listen }),
    ...(password === undefined ? {} : { vncpasswd: password }),
  };
}
const models: Readonly<Record<string, string>> = {
  ...{ rtl8139: 'rtl8139', e1000: 'e1000', virtio: 'virtio', 'virtio-net': 'virtio', 'virtio-net-pci': 'virtio' },
};
/** One for all interfaces of the machine. */
function modelOf({ domain: { vifs, type }, refuse }: XlReading): string | undefined {
  if (type !== 'hvm') return undefined;
  let first: string | undefined;
  for (const { model, at } of vifs) {
    if (model === undefined) continue;
    const found = Object.hasOwn(models, model) ? models[model] : undefined;
    if (found === undefined)
      throw refuse('vif', `model: "${model}" is not supported; it may be rtl8139, e1000, virtio`, at);
    if (first !== undefined && first !== found)
      throw refuse('vif', `model: "${model}": all interfaces must have one model`, at);
    first = found;
  }
  return first;
}
function builderOf({ domain: d }: XlReading, zoneS: number): BuilderInfo {
  const { boot, screen } = d;
  if (d.type === 'hvm') {
    const offset = (d.timeOffset ?? 0) + (d.localtime ? zoneS : 0);
    const uefi = boot.kind === 'firmware' && boot.uefi;
    const hvm = {
      hap: d.hap,
      shadow_multiplier: 1,
      timeoffset: offset === 0 ? '' : String(offset),
      video_mib: d.videoram ?? 4,
      video: d.vga === 'stdvga' ? ('Standard_VGA' as const) : ('Cirrus' as const),
      acpi: d.acpi,
      serial: d.serial ?? null,
      keymap: screen.keymap ?? null,
      vnc_ip: screen.listen ?? null,
      pci_emulations: [],
      pci_passthrough: d.pcis.length > 0,
      boot_order: boot.kind === 'firmware' ? boot.order : '',
      qemu_disk_cmdline: false,
      qemu_stubdom: false,
      firmware: uefi ? (['Uefi', { on_boot: 'Persist', backend: 'xapidb' }] as const) : ('Bios' as const),
      tpm: null,
    };
    return ['HVM', hvm];
  }
  const info = {
    boot: pvBoot(boot),
    framebuffer: screen.vnc,
    framebuffer_ip: screen.listen ?? null,
    vncterm: screen.vnc,
    vncterm_ip: screen.listen ?? null,
    pci_passthrough: d.pcis.length > 0,
  };
  return [d.shim ? 'PVinPVH' : d.type === 'pvh' ? 'PVH' : 'PV', info];
}
function pvBoot(boot: XlDomain['boot']) {
  if (boot.kind === 'bootloader') {
    const { bootloader, args, cmdline } = boot;
    const indirect = { bootloader, extra_args: cmdline, legacy_args: '', bootloader_args: args, devices: [] };
    return ['Indirect', indirect] as const;
  }
  const { kernel, cmdline, ramdisk } = boot.kind === 'kernel' ? boot : { kernel: '', cmdline: '', ramdisk: '' };
  return ['Direct', { kernel, cmdline, ramdisk: ramdisk === '' ? null : ramdisk }] as const;
}

/** Where an element of a device's string stands. */
const within = (at: XlPlace, element: Element): XlPlace => ({ ...at, column: at.column + 1 + element.index });
/** Settings that change nothing at these values, and are refused at others. */
const diskWords: Readonly<Record<string, RegExp>> = {
  backend: /^(0|Domain-0)?$/,
  backendtype: /^(phy|qdisk|tap|standalone)$/,
  specification: /^xen$/,
  discard: /^/,
  'no-discard': /^/,
  'direct-io-safe': /^/,
  trusted: /^/,
};
const vifWords: Readonly<Record<string, RegExp>> = {
  backend: /^(0|Domain-0)?$/,
  script: /(^|\/)vif-bridge$/,
  trusted: /^1$/,
};
function checkOthers(
  { refuse }: XlReading,
  key: string,
  at: XlPlace,
  others: ReadonlyMap<string, Element>,
  words: Readonly<Record<string, RegExp>>,
): void {
  for (const [name, element] of others) {
    if (Object.hasOwn(words, name) && words[name]?.test(element.value)) continue;
    const value = element.value === '' || element.value === name ? '' : `="${element.value}"`;
    throw refuse(key, `${name}${value} is not supported`, within(at, element));
  }
}
function vbdsOf(reading: XlReading, vm: string): Vbd[] {
  const seen = new Map<number, string>();
  return reading.domain.disks.map((disk) => {
    const { disk: number, partition } = disk.number;
    const before = seen.get(number);
    if (before !== undefined)
      throw reading.refuse('disk', `${disk.vdev} has the same number as ${before}, ${number}`, disk.at);
    if (partition > 0 && reading.domain.type === 'hvm')
      throw reading.refuse('disk', `${disk.vdev}: an HVM guest's drives are whole disks`, disk.at);
    seen.set(number, disk.vdev);
    return vbdOf(reading, vm, disk);
  });
}
export function vbdOf(reading: XlReading, vm: string, disk: Placed<XlDisk>): Vbd {
  checkOthers(reading, 'disk', disk.at, disk.others, diskWords);
  if (disk.format !== 'raw' && disk.format !== 'qcow2')
    throw reading.refuse('disk', `the format ${disk.format} is not supported; it may be raw, qcow2`, disk.at);
  const { target } = disk;
  return {
    ...vbdT.decode({}, 'disk'),
    id: [vm, disk.vdev],
    position: deviceNumber(disk.vdev),
    mode: disk.readOnly ? 'ReadOnly' : 'ReadWrite',
    backend: target === '' ? null : disk.repository ? ['VDI', target] : ['Local', target],
    ty: ({ disk: 'Disk', cdrom: 'CDROM', floppy: 'Floppy' } as const)[disk.type],
    extra_private_keys: disk.format === 'raw' ? {} : { format: disk.format },
  };
}
export function vifOf(reading: XlReading, vm: string, vif: Placed<XlVif>, index: number, ids: Ids): Vif {
  checkOthers(reading, 'vif', vif.at, vif.others, vifWords);
  const position = vif.devid ?? index;
  const { rate } = vif;
  const random = ids.uuid().replaceAll('-', '').slice(0, 6).match(/../g)?.join(':') ?? '00:00:00';
  return {
    ...vifT.decode({}, 'vif'),
    id: [vm, String(position)],
    position,
    mac: vif.mac ?? `00:16:3e:${random}`,
    mtu: vif.mtu ?? 1500,
    rate: rate ? [Math.floor((rate.bytesPerSecond * rate.intervalUs) / 1e6), rate.intervalUs] : null,
    backend: ['Local', vif.bridge],
  };
}
function pciOf(reading: XlReading, vm: string, pci: Placed<XlPci>, index: number): Pci {
  checkOthers(reading, 'pci', pci.at, pci.others, {});
  if (pci.permissive) throw reading.refuse('pci', 'permissive is not supported', pci.at);
  if (pci.fn === '*') throw reading.refuse('pci', 'name the function: which there are depends on the host', pci.at);
  const { domain, bus, device: dev, fn } = pci;
  return {
    id: [vm, String(index)],
    position: index,
    address: { domain, bus, dev, fn },
    msitranslate: pci.msitranslate ?? null,
    power_mgmt: pci.powerManagement ?? null,
  };
}
