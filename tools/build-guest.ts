/**
 * Makes the guest "Tiny Linux" from Debian's cloud kernel and busybox: `build-guest FOLDER`. Leaves FOLDER/vmlinux (starts through
 * PVH), FOLDER/bzImage (for boot loaders and Xen), FOLDER/initramfs and FOLDER/manifest.json, which is written last.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { charDevice, cpio, type Entry, file, folder, link } from './guest/cpio.ts';
import { vmlinuxOf } from './guest/kernel.ts';
import { collectModules, type KernelModule } from './guest/modules.ts';
import { kernelPackages, unpackPackages } from './guest/packages.ts';

/** Changes when the same packages would give another guest. */
const recipe = 6;

/** Drivers of everything that a hypervisor may plug in. */
const drivers = [
  ...[
    'virtio_pci',
    'virtio_mmio',
    'virtio_blk',
    'virtio_net',
    'virtio_balloon',
    'virtio_scsi',
    'virtio_console',
    'virtio_rng',
  ],
  ...['button', 'evdev', 'sd_mod', 'sr_mod', 'isofs', 'ata_piix', 'ahci', 'vfat', 'nls_ascii', 'nls_cp437', 'e1000'],
  ...['xen_blkfront', 'xen_netfront', '8139cp', 'qemu_fw_cfg', 'i6300esb'],
  // With them it serves other guests, as a driver domain.
  ...['xen_netback', 'xen_blkback', 'bridge'],
];

/** What makes it start fast under emulation, and does no harm elsewhere. */
const cmdline = [
  ...[
    'console=ttyS0',
    'quiet',
    'mitigations=off',
    'tsc=reliable',
    'no_timer_check',
    'noreplace-smp',
    '8250.nr_uarts=1',
  ],
  ...['cryptomgr.notests', 'nokaslr', 'random.trust_cpu=on', 'rcupdate.rcu_expedited=1', 'lpj=4000000', 'panic=-1'],
].join(' ');

const target = resolve(process.argv[2] ?? 'build/guest');
mkdirSync(target, { recursive: true });
const work = mkdtempSync(join(target, '.making-'));
try {
  build();
} catch (error) {
  console.error(`build-guest: ${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

function build(): void {
  const packages = kernelPackages();
  console.log(`guest image: downloading ${packages.join(' ')}`);
  const root = unpackPackages(packages, work);
  const boot = join(root, 'boot');
  const bzImageName = readdirSync(boot).find((name) => name.startsWith('vmlinuz-'));
  if (!bzImageName) throw new Error(`${packages.join(' ')} holds no kernel`);
  const version = bzImageName.slice('vmlinuz-'.length);
  const bzImage = readFileSync(join(boot, bzImageName));
  console.log(`guest image: kernel ${version}`);
  const lib = [join(root, 'lib/modules', version), join(root, 'usr/lib/modules', version)].find((p) => existsSync(p));
  if (!lib) throw new Error(`${packages.join(' ')} holds no modules of ${version}`);
  const modules = collectModules(lib, drivers);
  const initramfs = cpio([...rootfs(), ...moduleFiles(version, modules)]);
  place('bzImage', bzImage);
  place('vmlinux', vmlinuxOf(bzImage));
  place('initramfs', initramfs);
  const manifest = { recipe, version, kernel: 'vmlinux', bzImage: 'bzImage', ramdisk: 'initramfs', cmdline };
  place('manifest.json', Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  console.log(
    `guest image: ${target} (${modules.length} modules, initramfs ${Math.round(initramfs.length / 1024)} KiB)`,
  );
}

/** Complete or not there at all. */
function place(name: string, data: Uint8Array): void {
  writeFileSync(join(work, name), data);
  renameSync(join(work, name), join(target, name));
}

/** busybox under all its names, and the files of `guest/rootfs`. */
function rootfs(): Entry[] {
  const busybox = busyboxPath();
  const names = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  const own = ownFiles();
  const links = names
    .map((name) => link(`bin/${name}`, 'busybox'))
    .filter((e) => !['bin/busybox', 'bin/poweroff', 'bin/reboot', 'bin/halt', 'bin/init'].includes(e.path));
  const folders = [
    'bin',
    'dev',
    'lib',
    'mnt',
    'proc',
    'root',
    'run',
    'sys',
    'tmp',
    'var',
    'var/log',
    'etc',
    'sbin',
    'usr',
  ];
  return [
    ...folders.map((name) => folder(name)),
    charDevice('dev/console', 5, 1),
    charDevice('dev/null', 1, 3, 0o666),
    file('bin/busybox', readFileSync(busybox), 0o755),
    ...links,
    link('sbin/init', '../bin/busybox'),
    link('sbin/reboot', 'poweroff'),
    link('sbin/halt', 'poweroff'),
    link('var/run', '../run'),
    link('usr/bin', '../bin'),
    link('usr/sbin', '../sbin'),
    ...own,
  ];
}

function ownFiles(): Entry[] {
  const from = join(import.meta.dirname, 'guest', 'rootfs');
  return readdirSync(from, { recursive: true, withFileTypes: true })
    .map((e) => ({ path: join(e.parentPath, e.name).slice(from.length + 1), isFolder: e.isDirectory() }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .filter(({ path, isFolder }) => !(isFolder && ['etc', 'sbin', 'usr'].includes(path)))
    .map(({ path, isFolder }) => {
      if (isFolder) return folder(path);
      const data = readFileSync(join(from, path));
      return file(path, data, data.toString('latin1', 0, 2) === '#!' ? 0o755 : 0o644);
    });
}

/** The statically linked one: nothing else is in the guest. */
function busyboxPath(): string {
  const paths = ['/bin/busybox', '/usr/bin/busybox'].filter((p) => existsSync(p));
  const isStatic = (path: string) => !readFileSync(path).subarray(0, 4096).includes('/ld-linux');
  const found = paths.find(isStatic);
  if (!found) throw new Error("no statically linked busybox; as root run 'apt-get install busybox-static'");
  return found;
}

/** The modules with the tables by which modprobe finds them. */
function moduleFiles(version: string, modules: readonly KernelModule[]): Entry[] {
  const base = `lib/modules/${version}`;
  const path = (name: string) => `kernel/${name}.ko`;
  const byName = new Map(modules.map((m) => [m.name, m]));
  const below = (m: KernelModule): KernelModule[] =>
    m.needs.flatMap((n) => byName.get(n) ?? []).flatMap((n) => [n, ...below(n)]);
  // The last one named is loaded first; `modules` has each after its needs.
  const needs = (m: KernelModule) => {
    const all = new Set(below(m));
    return modules.filter((n) => all.has(n)).reverse();
  };
  const dep = modules.map((m) => `${[`${path(m.name)}:`, ...needs(m).map((n) => path(n.name))].join(' ')}\n`);
  const alias = modules.flatMap((m) => m.aliases.map((a) => `alias ${a} ${m.name}\n`));
  return [
    ...[`lib/modules`, base, `${base}/kernel`].map((p) => folder(p)),
    ...modules.map((m) => file(`${base}/${path(m.name)}`, m.data)),
    file(`${base}/modules.dep`, Buffer.from(dep.join(''))),
    file(`${base}/modules.alias`, Buffer.from(alias.join(''))),
    file(`${base}/modules.symbols`, Buffer.from('')),
  ];
}
