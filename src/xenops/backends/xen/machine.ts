/**
 * The machine of an HVM guest: Xen runs its processors, a QEMU plays its devices. Everything is emulated: drives on IDE, interfaces as
 * e1000, a screen, a serial line; no paravirtual devices, so that nothing is there twice.
 */
import { existsSync } from 'node:fs';
import { type VmSpec, xenopsErrors } from '../../../contracts/xenops.ts';
import { pick } from '../qemu/machine.ts';
import { options } from '../qemu/options.ts';
import { awaitNode } from './await-node.ts';
import type { Domain } from './domain.ts';
import { startEmulator, whileEmulated } from './emulator.ts';
import type { Paths } from './folder.ts';
import type { DomainRecord, Drive, Nic } from './record.ts';
import { domainPath } from './store-layout.ts';

const mib = 1 << 20;
const screenMib = 16;
const screens = { std: 'VGA', cirrus: 'cirrus-vga' } as const;
/**
 * `platform:vga`. Xen hands every character of a text screen to the device model one by one, so that a machine without one gets through its
 * firmware faster. Bad_spec.
 */
export const screenOf = (spec: VmSpec): 'std' | 'cirrus' | 'none' =>
  pick(spec, 'vga', ['std', 'cirrus', 'none'] as const, 'std');

/** The program on the interfaces with which the machine boots from its network. */
const networkBoot = { rom: '/usr/lib/ipxe/qemu/pxe-e1000.rom', package: 'ipxe-qemu' } as const;

/** The command line of the machine's QEMU: pure, and never near a shell. `rom`: of its interfaces; empty for none. */
export function machineCommand(qemu: string, record: DomainRecord, paths: Paths, rom: string): string[] {
  const { spec, domid } = record;
  const socket = (path: string, more = {}) => ({ path, server: true, wait: false, ...more });
  return [
    qemu,
    ...['-xen-domid', String(domid), '-name', options('', { guest: spec.id }), '-uuid', spec.id],
    ...['-nodefaults', '-no-user-config', '-msg', 'timestamp=on', '-machine', 'pc,accel=xen'],
    ...['-m', `${Math.floor(spec.memory.staticMax / mib)}M`, '-smp', `${record.vcpus},maxcpus=${spec.vcpus.max}`],
    ...['-boot', options('', { order: orderOf(record) })],
    ...['-chardev', options('socket', { id: 'qmp', ...socket(paths.qmp) }), '-mon', 'chardev=qmp,mode=control'],
    ...[
      '-chardev',
      options('socket', { id: 'serial', ...socket(paths.line, { logfile: paths.consoleLog, logappend: true }) }),
    ],
    ...['-serial', 'chardev:serial', ...screenArguments(spec, paths)],
    ...record.drives.flatMap(driveArguments),
    ...record.nics.flatMap((nic) => nicArguments(nic, rom)),
  ];
}
function screenArguments(spec: VmSpec, { vnc }: Paths): string[] {
  const screen = screenOf(spec);
  if (screen === 'none') return ['-display', 'none'];
  const device = options(screens[screen], { vgamem_mb: screenMib });
  return ['-device', device, '-vnc', options(`unix:${vnc}`, { share: 'force-shared' })];
}
/** `c` disk, `d` CD, `n` network. */
function orderOf({ spec }: DomainRecord): string {
  const letters = spec.boot.kind === 'bios' ? spec.boot.order.replace(/[^cdn]/g, '') : '';
  return letters === '' ? 'cd' : letters;
}
function driveArguments({ spec, disk }: Drive): string[] {
  const cd = spec.type === 'CD';
  const id = `drive${spec.position}`;
  const media = disk
    ? { format: disk.format, file: disk.path, readonly: cd || disk.readOnly || spec.mode === 'RO' }
    : {};
  return [
    '-drive',
    options('', { id, if: 'none', media: cd ? 'cdrom' : 'disk', ...media }),
    '-device',
    options(cd ? 'ide-cd' : 'ide-hd', { drive: id, bus: `ide.${spec.position >> 1}`, unit: spec.position & 1 }),
  ];
}
function nicArguments({ spec, tap }: Nic, rom: string): string[] {
  const id = `nic${spec.position}`;
  return [
    '-netdev',
    options('tap', { id, ifname: tap ?? '', script: 'no', downscript: 'no' }),
    '-device',
    options('e1000', { netdev: id, mac: spec.mac, romfile: rom }),
  ];
}

function romFor({ needs, record, vm }: Domain): string {
  if (!orderOf(record).includes('n') || record.nics.length === 0) return '';
  if (existsSync(networkBoot.rom)) return networkBoot.rom;
  needs.log.warn('a machine cannot boot from its network: install the package', { vm, package: networkBoot.package });
  return '';
}

/** Starts the machine's QEMU and waits until it says that it runs. Failed_to_start_emulator. */
export async function startMachine(domain: Domain): Promise<void> {
  const { needs, record, domid, vm } = domain;
  await startEmulator(domain, machineCommand(needs.qemu, record, needs.folders.paths(vm), romFor(domain)));
  const path = `${domainPath(0)}/device-model/${domid}/state`;
  await whileEmulated(domain, async () => {
    const { fits } = await awaitNode(needs, path, (value) => value === 'running', needs.patience.backendMs);
    const reason = `it was not up within ${needs.patience.backendMs / 1000} s`;
    if (!fits) throw xenopsErrors.make('Failed_to_start_emulator', { vm, reason });
  });
}
