/** A VM's records → the description that the domain manager runs, and back for VMs that came through another door. Pure. */
import { biosStringProblem } from '../../contracts/guest.ts';
import type { Media, VbdSpec, VifSpec, VmSpec } from '../../contracts/xenops.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { Reader } from '../../db/db.ts';
import { cloudInitDrive } from './cloud-init.ts';
import { pciDevices, usbDevices } from './devices.ts';

type Vm = Rec<'VM'>;

/** Which folders a kernel may come from: anything else on the host stays closed to whoever may edit VMs. */
export interface TranslateOptions {
  readonly kernelDirs: readonly string[];
  /** Paths that the VM boots from already, by the word of another door. */
  readonly kernelFiles?: readonly string[];
}

/** The description of the VM `ref` with all its devices. Errors name the field at fault. */
export function vmSpec(db: Reader, ref: string, options: TranslateOptions): VmSpec {
  const vm = db.get('VM', ref);
  const vbds = vm.VBDs.map((r) => vbdSpec(db, r)).sort((a, b) => a.position - b.position);
  const vifs = vm.VIFs.map((r) => vifSpec(db, r)).sort((a, b) => a.position - b.position);
  return {
    id: vm.uuid,
    name: vm.name_label,
    domainType: domainType(vm),
    boot: boot(vm, options),
    memory: { staticMax: vm.memory_static_max, dynamicMax: vm.memory_dynamic_max, dynamicMin: vm.memory_dynamic_min },
    vcpus: { max: vm.VCPUs_max, current: vm.VCPUs_at_startup },
    onPoweroff: vm.actions_after_shutdown,
    onReboot: vm.actions_after_reboot,
    onCrash: onCrash[vm.actions_after_crash],
    vbds: [...vbds, ...cloudInitDrive(vm, vbds)],
    vifs,
    platform: vm.actions_after_crash.startsWith('coredump') ? { ...vm.platform, 'crash-dump': 'true' } : vm.platform,
    xenstoreData: vm.xenstore_data,
    ...(vm.VTPMs.length > 0 ? { tpm: true } : {}),
    ...biosStrings(vm),
    ...pciDevices(vm),
    ...usbDevices(db, vm, ref),
    ...(vm.HVM_shadow_multiplier > 1 ? { shadowMultiplier: vm.HVM_shadow_multiplier } : {}),
    autostart: vm.other_config['auto_poweron'] === 'true',
    order: Math.max(0, vm.order),
    startDelayS: Math.max(0, vm.start_delay),
    shutdownDelayS: Math.max(0, vm.shutdown_delay),
  };
}

function biosStrings({ bios_strings }: Vm): Pick<VmSpec, 'biosStrings'> {
  const all = Object.entries(bios_strings);
  for (const [name, value] of all) {
    const reason = biosStringProblem(name, value);
    if (reason !== undefined) throw fail('VALUE_NOT_SUPPORTED', { field: `bios_strings:${name}`, value, reason });
  }
  return all.length > 0 ? { biosStrings: bios_strings } : {};
}

const onCrash: Readonly<Record<Vm['actions_after_crash'], VmSpec['onCrash']>> = {
  destroy: 'destroy',
  coredump_and_destroy: 'destroy',
  restart: 'restart',
  coredump_and_restart: 'restart',
  rename_restart: 'restart',
  preserve: 'preserve',
};

/** `unspecified` is read from the boot fields, as the reference did before the field existed. */
export function domainType(vm: Pick<Vm, 'domain_type' | 'HVM_boot_policy'>): VmSpec['domainType'] {
  switch (vm.domain_type) {
    case 'hvm':
    case 'pv':
    case 'pvh':
      return vm.domain_type;
    case 'pv_in_pvh':
      return 'pvh';
    default:
      return vm.HVM_boot_policy === '' ? 'pv' : 'hvm';
  }
}

function boot(vm: Vm, options: TranslateOptions): VmSpec['boot'] {
  if (domainType(vm) === 'hvm') {
    const order = vm.HVM_boot_params['order'] ?? 'cd';
    if (!/^[acdn]{0,4}$/.test(order)) {
      throw fail('VALUE_NOT_SUPPORTED', {
        field: 'HVM_boot_params:order',
        value: order,
        reason: 'It is made of the letters c (disk), d (CD) and n (network)',
      });
    }
    const firmware = vm.HVM_boot_params['firmware'] ?? 'bios';
    if (firmware === 'uefi') {
      const secure = vm.platform['secureboot'];
      return { kind: 'uefi', order, secureBoot: secure === 'true' || secure === 'auto' };
    }
    if (firmware !== 'bios') {
      throw fail('VALUE_NOT_SUPPORTED', {
        field: 'HVM_boot_params:firmware',
        value: firmware,
        reason: 'It is bios or uefi',
      });
    }
    return { kind: 'bios', order };
  }
  const cmdline = [vm.PV_args, vm.PV_legacy_args].filter((s) => s !== '').join(' ');
  if (vm.PV_kernel !== '') {
    const kernel = allowedPath('PV_kernel', vm.PV_kernel, options);
    const ramdisk = vm.PV_ramdisk === '' ? undefined : allowedPath('PV_ramdisk', vm.PV_ramdisk, options);
    return { kind: 'kernel', kernel, cmdline, ...(ramdisk ? { ramdisk } : {}) };
  }
  const repository = vm.other_config['install-repository'];
  const loader = {
    kind: 'bootloader',
    bootloader: vm.PV_bootloader || 'pygrub',
    args: vm.PV_bootloader_args,
    cmdline,
  } as const;
  if (!repository) return loader;
  const hints = { release: vm.other_config['debian-release'], arch: vm.other_config['install-arch'] };
  const given = Object.fromEntries(Object.entries(hints).filter(([, value]) => value)) as Record<string, string>;
  return {
    ...loader,
    installRepository: repository,
    ...(Object.keys(given).length > 0 ? { installHints: given } : {}),
  };
}

function allowedPath(field: string, path: string, options: TranslateOptions): string {
  if (options.kernelFiles?.includes(path)) return path;
  const inside = options.kernelDirs.some((dir) => path.startsWith(`${dir}/`));
  if (!inside || path.split('/').includes('..')) {
    throw fail('VALUE_NOT_SUPPORTED', {
      field,
      value: path,
      reason: `Kernels are taken only from ${options.kernelDirs.join(' and ')}`,
    });
  }
  return path;
}

/** The number of a drive: `0`, `xvdb`, `hdc`, `sda` … −1 when it is none. */
export function drivePosition(userdevice: string): number {
  if (/^\d{1,3}$/.test(userdevice)) return Number(userdevice);
  const letter = /^(?:xvd|hd|sd|vd)([a-z])$/.exec(userdevice)?.[1];
  return letter ? letter.charCodeAt(0) - 97 : -1;
}
/** What the guest calls drive `n`: IDE names on fully virtual machines without PV drivers are left to the guest. */
export const driveName = (n: number): string => (n < 26 ? `xvd${String.fromCharCode(97 + n)}` : `xvd${n}`);

export function vbdSpec(db: Reader, ref: string): VbdSpec {
  const vbd = db.get('VBD', ref);
  const vdi = vbd.empty ? undefined : db.find('VDI', vbd.VDI);
  const media = vdi ? vdiMedia(db, vdi) : null;
  const qos = drivesLimits(vbd);
  return {
    id: vbd.uuid,
    position: Math.max(0, drivePosition(vbd.userdevice)),
    type: vbd.type,
    mode: vbd.type === 'CD' ? 'RO' : vbd.mode,
    media,
    bootable: vbd.bootable,
    unpluggable: vbd.unpluggable,
    ...(qos === undefined ? {} : { qos }),
  };
}

/** Where a disk's content is. Disks that no repository manages carry their path. */
export function vdiMedia(db: Reader, vdi: Rec<'VDI'>): Media {
  const path = vdi.managed ? undefined : vdi.other_config['path'];
  if (path !== undefined)
    return { kind: 'path', path, format: vdi.other_config['format'] === 'qcow2' ? 'qcow2' : 'raw' };
  return { kind: 'vdi', sr: db.get('SR', vdi.SR).uuid, vdi: vdi.uuid };
}

type Limited = Pick<Rec<'VIF'>, 'qos_algorithm_type' | 'qos_algorithm_params'>;

/** The limits of a drive, for the backend to read; undefined for none. */
export function drivesLimits({ qos_algorithm_type: type, qos_algorithm_params: params }: Limited): VbdSpec['qos'] {
  if (type !== 'ratelimit') return undefined;
  for (const [key, value] of Object.entries(params)) {
    const reason = 'It is a whole number per second; 0 is no limit';
    if (!/^\d{1,16}$/.test(value))
      throw fail('VALUE_NOT_SUPPORTED', { field: `qos_algorithm_params:${key}`, value, reason });
  }
  return params;
}
/** The limit of an interface in KiB/s, up to 100 GiB/s; 0 for none. */
export function rateLimit({ qos_algorithm_type: type, qos_algorithm_params: params }: Limited): number {
  const value = params['kbps'] ?? '0';
  if (type !== 'ratelimit') return 0;
  if (/^\d+$/.test(value) && Number(value) <= 100 * 2 ** 20) return Number(value);
  const reason = 'It is a whole number of KiB per second, at most 104857600; 0 is no limit';
  throw fail('VALUE_NOT_SUPPORTED', { field: 'qos_algorithm_params:kbps', value, reason });
}

export function vifSpec(db: Reader, ref: string): VifSpec {
  const vif = db.get('VIF', ref);
  const rate = rateLimit(vif);
  const { bridge, default_locking_mode } = db.get('network', vif.network);
  const lock = vifLock(vif, default_locking_mode);
  return {
    id: vif.uuid,
    position: Number(vif.device),
    mac: vif.MAC,
    mtu: vif.MTU,
    bridge,
    ...(rate > 0 ? { rateKib: rate } : {}),
    ...(lock ? { lock } : {}),
  };
}
type Lockable = Pick<Rec<'VIF'>, 'locking_mode' | 'ipv4_allowed' | 'ipv6_allowed'>;
/** Which packets may pass; undefined for all. */
export function vifLock(vif: Lockable, networkDefault: Rec<'network'>['default_locking_mode']): VifSpec['lock'] {
  const mode = vif.locking_mode === 'network_default' ? networkDefault : vif.locking_mode;
  if (mode === 'locked') return { mode, ipv4: [...vif.ipv4_allowed], ipv6: [...vif.ipv6_allowed] };
  return mode === 'disabled' ? { mode, ipv4: [], ipv6: [] } : undefined;
}

type Fields = Partial<{ -readonly [K in keyof Vm]: Vm[K] }>;

/**
 * The fields of a VM record that a description from another door decides. With `mine`, what the record says now, only those
 * whose part of the description differs: a record can say more than a description does.
 */
export function fieldsOfSpec(spec: VmSpec, mine?: VmSpec): Fields {
  const differs = (part: keyof VmSpec) =>
    mine === undefined || JSON.stringify(mine[part]) !== JSON.stringify(spec[part]);
  const fields: Fields = {};
  if (differs('name')) fields.name_label = spec.name;
  if (differs('domainType')) fields.domain_type = spec.domainType;
  if (differs('memory')) {
    fields.memory_static_max = spec.memory.staticMax;
    fields.memory_dynamic_max = spec.memory.dynamicMax;
    fields.memory_dynamic_min = spec.memory.dynamicMin;
  }
  if (differs('shadowMultiplier')) fields.HVM_shadow_multiplier = spec.shadowMultiplier ?? 1;
  if (differs('vcpus')) {
    fields.VCPUs_max = spec.vcpus.max;
    fields.VCPUs_at_startup = spec.vcpus.current;
  }
  if (differs('onPoweroff')) fields.actions_after_shutdown = spec.onPoweroff === 'restart' ? 'restart' : 'destroy';
  if (differs('onReboot')) fields.actions_after_reboot = spec.onReboot === 'restart' ? 'restart' : 'destroy';
  if (differs('onCrash')) fields.actions_after_crash = spec.onCrash;
  if (differs('platform')) fields.platform = spec.platform;
  if (differs('xenstoreData')) fields.xenstore_data = spec.xenstoreData ?? {};
  if (differs('order')) fields.order = spec.order;
  if (differs('startDelayS')) fields.start_delay = spec.startDelayS;
  if (differs('shutdownDelayS')) fields.shutdown_delay = spec.shutdownDelayS;
  if (differs('boot')) bootFields(spec.boot, fields);
  return fields;
}

function bootFields(b: VmSpec['boot'], fields: Fields): void {
  if (b.kind === 'bios' || b.kind === 'uefi') {
    fields.HVM_boot_policy = 'BIOS order';
    fields.HVM_boot_params = { order: b.order, firmware: b.kind };
    return;
  }
  fields.HVM_boot_policy = '';
  fields.PV_args = b.cmdline;
  fields.PV_legacy_args = '';
  if (b.kind === 'kernel') Object.assign(fields, { PV_kernel: b.kernel, PV_ramdisk: b.ramdisk ?? '' });
  else Object.assign(fields, { PV_bootloader: b.bootloader, PV_bootloader_args: b.args });
}
