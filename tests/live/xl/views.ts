/**
 * What an xl file means, once as our reader has it and once as xl's own dry run prints it, in one form. What xl leaves to its
 * library is left out of its JSON: both views say the value that it has then.
 */
import type { XlDomain } from '../../../src/wire/xl-config.ts';
import type { Json } from './dry-run.ts';

export type View = Readonly<Record<string, unknown>>;
const cpus = 64;
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const child = (json: Json, key: string): Json => (json[key] ?? {}) as Json;
const flag = (value: unknown, usual: boolean): boolean => (value === undefined ? usual : value === 'True');

export function viewOfXl(json: Json): View {
  const [c, b] = [child(json, 'c_info'), child(json, 'b_info')];
  const type = String(c['type']);
  const machine = child(b, `type.${type}`);
  const [vfb] = list(json['vfbs']);
  const screen = child(vfb ?? machine, 'vnc');
  const cmdline = b['cmdline'] ?? machine['cmdline'];
  return {
    type,
    name: c['name'],
    memory: [b['max_memkb'] ?? 64 * 1024, b['target_memkb'] ?? b['max_memkb'] ?? 64 * 1024],
    vcpus: [b['max_vcpus'] ?? 1, list(b['avail_vcpus']).length || 1],
    affinity: affinityOf(b),
    scheduler: [child(b, 'sched_params')['weight'], child(b, 'sched_params')['cap']],
    kernel: [b['kernel'] ?? machine['kernel'], b['ramdisk'] ?? machine['ramdisk'], cmdline],
    loader: [
      b['bootloader'] ?? machine['bootloader'],
      list(b['bootloader_args'] ?? machine['bootloader_args']).join(' '),
    ],
    firmware: type === 'hvm' ? [machine['boot'] ?? 'cd', machine['bios'] === 'ovmf'] : undefined,
    ends: [json['on_poweroff'] ?? 'destroy', json['on_reboot'] ?? 'destroy', json['on_crash'] ?? 'destroy'],
    shim: flag(machine['pvshim'], false),
    acpi: flag(b['acpi'] ?? machine['acpi'], true),
    hap: flag(c['hap'], true),
    clock: [Number(b['rtc_timeoffset'] ?? 0), flag(b['localtime'], false)],
    switches: type === 'hvm' ? switchesOf(b, machine) : undefined,
    card: type === 'hvm' ? [child(machine, 'vga')['kind'], b['video_memkb'], machine['serial']] : undefined,
    screen: [flag(screen['enable'], true), screen['listen'], screen['passwd'], vfb?.['keymap'] ?? machine['keymap']],
    disks: list(json['disks']).map((d) => [
      underDev(String(d['pdev_path'] ?? '')),
      d['vdev'],
      d['format'] === 'empty' ? 'raw' : d['format'],
      d['readwrite'] === 1,
      d['is_cdrom'] === 1,
      d['script'],
    ]),
    nics: list(json['nics']).map((n) => [
      n['devid'],
      n['mac'],
      n['bridge'] ?? 'xenbr0',
      n['nictype'],
      n['model'],
      n['mtu'],
      n['rate_bytes_per_interval'],
      n['rate_interval_usecs'],
      n['script'],
      n['ip'],
    ]),
    pci: list(json['pcidevs']).map((p) => [
      p['domain'] ?? 0,
      p['bus'] ?? 0,
      p['dev'] ?? 0,
      p['vfunc_mask'] === 255 && p['func'] === undefined ? '*' : (p['func'] ?? 0),
    ]),
  };
}
/** The hotplug scripts of Xen look for what is no absolute path there. */
const underDev = (path: string): string => (path === '' || path.startsWith('/') ? path : `/dev/${path}`);
function affinityOf(b: Json): unknown {
  const each = list(b['vcpu_hard_affinity']) as unknown as (readonly number[])[];
  return each.length === 0 ? undefined : each;
}
function switchesOf(b: Json, machine: Json): View {
  const of = (key: string, usual: boolean) => flag(machine[key] ?? b[key], usual);
  return {
    ...{ pae: of('pae', true), apic: of('apic', true), nx: of('nx', true), hpet: of('hpet', true) },
    ...{ acpi_s3: of('acpi_s3', true), acpi_s4: of('acpi_s4', true), 'nested-virt': of('nested_hvm', false) },
    viridian: of('viridian', false),
  };
}

export function viewOfOurs(d: XlDomain): View {
  const { boot, screen } = d;
  const hvm = d.type === 'hvm';
  const kernel =
    boot.kind === 'kernel' ? [boot.kernel, boot.ramdisk || undefined, boot.cmdline || undefined] : undefined;
  const loaderLine = boot.kind === 'bootloader' ? boot.cmdline || undefined : undefined;
  const on = (name: string, usual: boolean) => (d.switches[name] ?? String(usual)) === 'true';
  return {
    type: d.type,
    name: d.name,
    memory: [d.maxMemory * 1024, d.memory * 1024],
    vcpus: [d.maxVcpus, d.vcpus],
    affinity: ourAffinity(d),
    scheduler: [d.weight, d.cap],
    kernel: kernel ?? [undefined, undefined, loaderLine],
    loader: boot.kind === 'bootloader' ? [boot.bootloader, boot.args] : [undefined, ''],
    firmware: hvm ? (boot.kind === 'firmware' ? [boot.order, boot.uefi] : ['cd', false]) : undefined,
    ends: [d.onPoweroff, d.onReboot, d.onCrash].map(endInXl),
    shim: d.shim,
    acpi: d.acpi,
    hap: d.hap,
    clock: [d.timeOffset ?? 0, d.localtime],
    switches: hvm
      ? {
          ...{ pae: on('pae', true), apic: on('apic', true), nx: on('nx', true), hpet: on('hpet', true) },
          ...{ acpi_s3: on('acpi_s3', true), acpi_s4: on('acpi_s4', true), 'nested-virt': on('nested-virt', false) },
          viridian: on('viridian', false),
        }
      : undefined,
    card: hvm ? [kindOfCard(d.vga), d.videoram && d.videoram * 1024, d.serial] : undefined,
    screen: [screen.vnc, screen.listen, screen.password, screen.keymap],
    disks: d.disks.map((disk) => [
      disk.target,
      disk.vdev,
      disk.format,
      !disk.readOnly,
      disk.type === 'cdrom',
      disk.others.get('script')?.value,
    ]),
    nics: d.vifs.map((vif, i) => [
      vif.devid ?? i,
      vif.mac,
      vif.bridge,
      vif.type === 'ioemu' ? 'vif_ioemu' : vif.type,
      vif.model,
      vif.mtu,
      vif.rate && Math.floor((vif.rate.bytesPerSecond * vif.rate.intervalUs) / 1e6),
      vif.rate?.intervalUs,
      vif.others.get('script')?.value,
      vif.others.get('ip')?.value,
    ]),
    pci: d.pcis.map((p) => [p.domain, p.bus, p.device, p.fn]),
  };
}
const endInXl = (end: XlDomain['onCrash']) => (end === 'rename-restart' ? 'restart_rename' : end.replaceAll('-', '_'));
const kindOfCard = (vga: XlDomain['vga']) => (vga === 'stdvga' ? 'std' : vga);
function ourAffinity({ cpus: lists }: XlDomain): unknown {
  return lists.length === 0 ? undefined : lists.map((each) => each.filter((n) => n < cpus));
}
