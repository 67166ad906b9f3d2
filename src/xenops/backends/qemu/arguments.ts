/** The command line of one guest's QEMU: pure, and never near a shell. Values go as JSON where QEMU takes it, escaped elsewhere. */

import { agentName, agentPort } from './agent.ts';
import { blockNode, controllerDevice, driveDevice, netdev, nicDevice } from './devices.ts';
import { type Machine, slotsOf } from './machine.ts';
import { options } from './options.ts';
import type { Json } from './qmp.ts';
import { type DomainRecord, guestOf } from './record.ts';
import { smbios } from './smbios.ts';

/** Absolute paths of what belongs to one domain. */
export interface DomainPaths {
  readonly qmp: string;
  readonly serial: string;
  /** Where the guest's agent is spoken to. */
  readonly agent: string;
  readonly vnc: string;
  readonly consoleLog: string;
}
export interface Firmware {
  readonly code: string;
  /** This VM's own variables. */
  readonly vars: string;
  readonly secure: boolean;
}
export interface KernelFiles {
  readonly kernel: string;
  readonly ramdisk: string | undefined;
}
export interface ArgumentsInput {
  readonly qemu: string;
  readonly record: DomainRecord;
  readonly paths: DomainPaths;
  readonly firmware?: Firmware;
  /** Where the kernel and its ramdisk are, of a guest that is started from them. */
  readonly kernel?: KernelFiles;
  /** The control socket of its TPM. */
  readonly tpm?: string;
  /** Waits for a saved state instead of starting. */
  readonly incoming: boolean;
  /** The guest's clock in RFC 3339 without zone; the host's when absent. */
  readonly rtcBase?: string;
}

const versioned = { pc: 'pc-i440fx-', q35: 'pc-q35-' } as const;
const denied = { obsolete: 'deny', elevateprivileges: 'deny', spawn: 'deny', resourcecontrol: 'deny' };

function machineOption(machine: Machine, firmware: Firmware | undefined): string {
  const name = machine.type === 'microvm' ? 'microvm' : `${versioned[machine.type]}${machine.version}`;
  return options(name, {
    ...(machine.type === 'microvm' ? { acpi: true, pcie: false } : { hpet: false }),
    'dump-guest-core': false,
    ...(firmware ? { pflash0: 'firmware-code', pflash1: 'firmware-vars', smm: firmware.secure } : {}),
  });
}
/** TCG's cache of translated code is bounded, so that `overhead` can promise something. */
export const translationCacheMib = 128;

function processor(machine: Machine): string[] {
  const accel = machine.accelerator === 'kvm' ? 'kvm' : options('tcg', { 'tb-size': translationCacheMib });
  const cpu = machine.accelerator === 'kvm' ? 'host,migratable=on' : 'max,la57=off';
  return ['-accel', accel, '-cpu', cpu];
}
function cpus(record: DomainRecord): string {
  const max = record.machine.type === 'microvm' ? record.vcpus : record.spec.vcpus.max;
  return options('', { cpus: record.vcpusPlugged ?? record.vcpus, maxcpus: max, sockets: 1, cores: max, threads: 1 });
}
const json = (option: string, value: Json | undefined): string[] => (value ? [option, JSON.stringify(value)] : []);

function firmwareArguments(firmware: Firmware | undefined): string[] {
  if (!firmware) return [];
  const flash = (name: string, filename: string, readOnly: boolean) =>
    json('-blockdev', {
      driver: 'raw',
      'node-name': name,
      'read-only': readOnly,
      file: { driver: 'file', filename, ...(readOnly ? {} : { locking: 'on' }) },
    });
  const guarded = firmware.secure ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : [];
  return [...flash('firmware-code', firmware.code, true), ...flash('firmware-vars', firmware.vars, false), ...guarded];
}
function bootArguments({ record, kernel, incoming }: ArgumentsInput): string[] {
  const { boot } = record.spec;
  if (boot.kind !== 'kernel') return ['-boot', 'strict=on'];
  // A resumed guest has its kernel in memory, unless it was suspended before its firmware had read it: QEMU hands it out from
  // these files, not from the saved state. They may be gone by now, which only such a guest notices.
  if (incoming && !kernel) return [];
  const { kernel: file, ramdisk } = kernel ?? { kernel: boot.kernel, ramdisk: boot.ramdisk };
  return ['-kernel', file, ...(ramdisk === undefined ? [] : ['-initrd', ramdisk]), '-append', boot.cmdline];
}
/** The devices that every guest has. */
function commonDevices(machine: Machine): string[] {
  const pci = machine.type !== 'microvm';
  const suffix = pci ? 'pci' : 'device';
  const bus = machine.type === 'pc' ? 'pci.0' : 'pcie.0';
  const at = (addr: string) => (pci ? { bus, addr } : {});
  const vga = { std: 'VGA', virtio: 'virtio-vga', cirrus: 'cirrus-vga' } as const;
  return [
    ...(machine.vga === 'none' ? [] : json('-device', { driver: vga[machine.vga], id: 'vga', ...at('0x2') })),
    ...json('-device', {
      driver: `virtio-balloon-${suffix}`,
      id: 'balloon',
      'free-page-reporting': true,
      'deflate-on-oom': true,
      ...at('0x3'),
    }),
    ...json('-object', { 'qom-type': 'rng-builtin', id: 'entropy' }),
    ...json('-device', { driver: `virtio-rng-${suffix}`, id: 'rng', rng: 'entropy', ...at('0x4') }),
    ...(pci ? json('-device', { driver: 'pvpanic', id: 'panic' }) : []),
    ...(machine.type === 'q35' ? rootPorts() : []),
  ];
}
/** A port by which an agent in the guest is spoken to; `chardev` is our end of it. */
function agentDevices(machine: Machine, chardev: string): string[] {
  const pci = machine.type !== 'microvm';
  const at = pci ? { bus: machine.type === 'pc' ? 'pci.0' : 'pcie.0', addr: '0x5' } : {};
  return [
    ...['-chardev', chardev],
    ...json('-device', { driver: `virtio-serial-${pci ? 'pci' : 'device'}`, id: 'ports', max_ports: 2, ...at }),
    ...json('-device', {
      driver: 'virtserialport',
      id: agentPort,
      bus: 'ports.0',
      chardev: agentPort,
      name: agentName,
    }),
  ];
}
/** The host's own devices. */
function givenDevices({ spec }: DomainRecord): string[] {
  const usbs = spec.usbs ?? [];
  return [
    ...(spec.pcis ?? []).flatMap((host, i) => json('-device', { driver: 'vfio-pci', id: `pci${i}`, host })),
    ...(usbs.length > 0 ? json('-device', { driver: 'qemu-xhci', id: 'usb' }) : []),
    ...usbs.flatMap(({ path }, i) => {
      const [bus, hostport] = path.split('-');
      return json('-device', { driver: 'usb-host', id: `usb${i}`, hostbus: Number(bus), hostport });
    }),
  ];
}
/** A TPM, at the registers that the firmware looks for. */
function tpmDevices(path: string): string[] {
  return [
    ...[
      '-chardev',
      options('socket', { id: 'tpm-line', path }),
      '-tpmdev',
      options('emulator', { id: 'tpm', chardev: 'tpm-line' }),
    ],
    ...json('-device', { driver: 'tpm-crb', tpmdev: 'tpm' }),
  ];
}
/** q35 hot-plugs behind root ports, eight functions to a slot. */
function rootPorts(): string[] {
  return Array.from({ length: slotsOf.q35 }, (_, i) =>
    json('-device', {
      driver: 'pcie-root-port',
      id: `port${i}`,
      bus: 'pcie.0',
      chassis: i + 1,
      addr: `0x${(0x10 + (i >> 3)).toString(16)}.0x${(i & 7).toString(16)}`,
      ...((i & 7) === 0 ? { multifunction: true } : {}),
    }),
  ).flat();
}
/** Device id → its turn at booting, from an order of `c` disk, `d` CD, `n` network. */
export function bootTurns(record: DomainRecord): ReadonlyMap<string, number> {
  const turns = new Map<string, number>();
  const { boot } = record.spec;
  if (boot.kind !== 'bios' && boot.kind !== 'uefi') return turns;
  const byPosition = <T extends { spec: { position: number } }>(list: readonly T[]) =>
    [...list].sort((a, b) => a.spec.position - b.spec.position);
  const kinds: Record<string, readonly { device: string }[]> = {
    c: byPosition(record.drives.filter((d) => d.spec.type === 'Disk')),
    d: byPosition(record.drives.filter((d) => d.spec.type === 'CD')),
    n: byPosition(record.nics),
  };
  for (const letter of boot.order)
    for (const { device } of kinds[letter] ?? []) if (!turns.has(device)) turns.set(device, turns.size);
  return turns;
}
function pluggedDevices(record: DomainRecord): string[] {
  const turns = bootTurns(record);
  const { machine } = record;
  return [
    ...record.drives.flatMap((d) => [
      ...json('-blockdev', blockNode(d)),
      ...json('-device', controllerDevice(machine, d)),
      ...json('-device', driveDevice(machine, d, turns.get(d.device))),
    ]),
    ...record.nics.flatMap((n) => [
      '-netdev',
      netdevOption(netdev(n)),
      ...json('-device', nicDevice(machine, n, turns.get(n.device))),
    ]),
  ];
}
/** `-netdev` takes JSON only since QEMU 7.2; the older form is kept for hosts with 6.2. */
function netdevOption({ type, hostfwd, ...rest }: Json): string {
  const forwards = (hostfwd as { str: string }[] | undefined)?.map((f) => f.str);
  return options(String(type), { ...(rest as Record<string, string>), ...(forwards ? { hostfwd: forwards } : {}) });
}

/** A name that fits into an argument: it is only shown. */
const displayName = (name: string): string => name.replaceAll('\0', '\ufffd').slice(0, 200);

/** Program and arguments. The guest stands still until `cont`. */
export function qemuArguments(input: ArgumentsInput): string[] {
  const { record, paths } = input;
  const socket = (path: string, more = {}) => ({ path, server: true, wait: false, ...more });
  return [
    input.qemu,
    ...[
      '-name',
      options('', { guest: displayName(record.spec.name), 'debug-threads': true }),
      '-uuid',
      guestOf(record),
    ],
    ...['-nodefaults', '-no-user-config', '-S', '-display', 'none', '-msg', 'timestamp=on'],
    ...['-sandbox', options('on', denied)],
    ...['-machine', machineOption(record.machine, input.firmware), ...processor(record.machine)],
    ...['-smp', cpus(record), '-m', options('', { size: `${Math.floor(record.spec.memory.staticMax / 1024)}k` })],
    ...(input.rtcBase === undefined ? [] : ['-rtc', options('', { base: input.rtcBase })]),
    ...smbios(record.spec.biosStrings ?? {}),
    ...firmwareArguments(input.firmware),
    ...bootArguments(input),
    ...['-chardev', options('socket', { id: 'qmp', ...socket(paths.qmp) }), '-mon', 'chardev=qmp,mode=control'],
    ...[
      '-chardev',
      options('socket', { id: 'serial', ...socket(paths.serial, { logfile: paths.consoleLog, logappend: true }) }),
    ],
    // A second screen never throws out the first.
    ...['-serial', 'chardev:serial', '-vnc', options(`unix:${paths.vnc}`, { share: 'force-shared' })],
    // An ended guest stays until it is destroyed, so that nobody takes a killed QEMU for a guest that powered off; the
    // trace lines keep the reason for a toolstack that was away (see ends.ts).
    ...[
      '-action',
      'shutdown=pause,reboot=shutdown,panic=pause',
      '-trace',
      'qemu_system_shutdown_request',
      '-trace',
      'runstate_set',
    ],
    ...commonDevices(record.machine),
    ...(record.machine.agent
      ? agentDevices(record.machine, options('socket', { id: agentPort, ...socket(paths.agent) }))
      : []),
    ...(input.tpm === undefined ? [] : tpmDevices(input.tpm)),
    ...pluggedDevices(record),
    ...givenDevices(record),
    ...(input.incoming ? ['-incoming', 'defer'] : []),
  ];
}
