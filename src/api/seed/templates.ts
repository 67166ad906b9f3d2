/** The templates of a fresh host. Users may change them; kernels follow where set-up has put them. */
import { join } from 'node:path';
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import type { Patch } from '../../db/db.ts';
import { refreshVm } from '../guards.ts';
import { wireTime } from '../wire-time.ts';
import { type Home, once, type TinyLinux } from './parts.ts';

const mib = 1024 * 1024;
const tinyLabel = 'tiny-linux';

export async function seedTemplates(home: Home): Promise<void> {
  const { tinyLinux } = home;
  if (tinyLinux) {
    const { kernel: PV_kernel, ramdisk: PV_ramdisk, cmdline: PV_args } = tinyLinux;
    await once(home, tinyLabel, () => {
      make(home, {
        ...common(tinyLabel, 256 * mib, 128 * mib),
        name_label: 'Tiny Linux',
        name_description: 'A small Linux in memory, with a shell on its serial console and no disk',
        domain_type: 'pvh',
        PV_kernel,
        PV_ramdisk,
        PV_args,
        platform: { acpi: '1', apic: 'true', pae: 'true', nx: 'true' },
        other_config: { ...builtIn, 'guesthouse-template': tinyLabel },
        recommendations: recommendations(16, 16),
      });
    });
    followImage(home, tinyLinux);
  }
  await once(home, 'other-install-media', () => {
    const vm = make(home, {
      ...common('other-install-media', 1024 * mib, 128 * mib),
      name_label: 'Other install media',
      name_description: 'Any operating system: put its installation CD into the drive',
      domain_type: 'hvm',
      HVM_boot_policy: 'BIOS order',
      HVM_boot_params: { order: 'dc', firmware: 'bios' },
      platform: {
        acpi: '1',
        apic: 'true',
        pae: 'true',
        nx: 'true',
        viridian: 'false',
        vga: 'std',
        videoram: '8',
      },
      other_config: { ...builtIn, 'install-methods': 'cdrom', disks: provision(8192 * mib) },
      recommendations: recommendations(64, 16),
    });
    addCdDrive(home, vm);
  });
  await seedDebian(home);
}

/**
 * Debian by its installer: `other_config:install-repository` says from which mirror. Its kernel is started directly, so that no
 * firmware is needed; the console is the one that the ground has.
 */
async function seedDebian(home: Home): Promise<void> {
  for (const { name, release, domain_type } of debians)
    await once(home, `debian-${release}`, () => {
      make(home, {
        ...common(`debian-${release}`, 1024 * mib, 256 * mib),
        name_label: name,
        name_description:
          'Debian, from a mirror: set other-config:install-repository=http://deb.debian.org/debian, and give it a network',
        domain_type,
        PV_bootloader: 'eliloader',
        PV_args: 'console=hvc0 console=ttyS0',
        platform: { acpi: '1', apic: 'true', pae: 'true', nx: 'true' },
        other_config: {
          ...builtIn,
          'install-methods': 'http',
          'install-arch': 'amd64',
          'debian-release': release,
          disks: provision(8192 * mib),
        },
        recommendations: recommendations(64, 16),
      });
    });
}
const debians = [
  { name: 'Debian Bookworm 12', release: 'bookworm', domain_type: 'pvh' },
  { name: 'Debian Wheezy 7.0 (64-bit)', release: 'wheezy', domain_type: 'pv' },
] as const;

/** Some clients look for this instead of `is_default_template`, and then take away the template's disks for those they make. */
const builtIn = { default_template: 'true' };

/** `pool.other_config` keeps here the command line that the image had at the last start. */
const lineKey = 'guesthouse-tiny-linux-args';

/**
 * Set-up may have moved or built anew: the template follows it, and so do VMs that were made from it, but for kernels and command
 * lines that somebody gave them.
 */
function followImage({ db, dataDir, pool }: Home, { kernel, ramdisk, cmdline }: TinyLinux): void {
  const own = `${join(dataDir, 'kernels')}/`;
  const { other_config } = db.get('pool', pool);
  const before = other_config[lineKey];
  db.write((w) => {
    w.set('pool', pool, { other_config: { ...other_config, [lineKey]: cmdline } });
    for (const [ref, vm] of [...db.rows('VM')]) {
      if (vm.reference_label !== tinyLabel || vm.PV_kernel === '' || vm.PV_kernel.startsWith(own)) continue;
      const PV_args = vm.PV_args === before ? cmdline : vm.PV_args;
      w.set('VM', ref, { PV_kernel: kernel, PV_ramdisk: vm.PV_ramdisk && ramdisk, PV_args });
    }
  });
}

const common = (reference_label: string, memory: number, least: number): Patch<'VM'> => ({
  reference_label,
  memory_static_max: memory,
  memory_dynamic_max: memory,
  memory_dynamic_min: memory,
  memory_static_min: least,
  VCPUs_max: 1,
  VCPUs_at_startup: 1,
  actions_after_shutdown: 'destroy',
  actions_after_reboot: 'restart',
  actions_after_crash: 'restart',
  HVM_shadow_multiplier: 1,
});

const provision = (bytes: number): string =>
  `<provision><disk device="0" size="${bytes}" sr="" bootable="true" type="system"/></provision>`;

/** Limits that user interfaces offer: virtual CPUs and disks. */
const recommendations = (vcpus: number, disks: number): string =>
  [
    '<restrictions>',
    `<restriction field="memory-static-max" max="${1024 * 1024 * mib}"/>`,
    `<restriction field="vcpus-max" max="${vcpus}"/>`,
    `<restriction property="number-of-vbds" max="${disks}"/>`,
    '<restriction property="number-of-vifs" max="7"/>',
    '</restrictions>',
  ].join('');

function make({ db, clock }: Home, fields: Patch<'VM'>): Ref<'VM'> {
  const there = [...db.rows('VM')].find(
    ([, vm]) => vm.is_default_template && vm.reference_label === fields.reference_label,
  );
  if (there) return there[0];
  return db.write((w) => {
    const vm = w.create('VM', {
      is_a_template: true,
      is_default_template: true,
      power_state: 'Halted',
      domid: -1,
      affinity: nullRef,
      suspend_VDI: nullRef,
      metrics: w.create('VM_metrics', { install_time: wireTime(clock.now()) }),
      ...fields,
    });
    refreshVm(db, w, vm);
    return vm;
  });
}

function addCdDrive({ db }: Home, vm: Ref<'VM'>): void {
  if (db.get('VM', vm).VBDs.length > 0) return;
  db.write((w) => {
    w.create('VBD', {
      VM: vm,
      VDI: nullRef,
      userdevice: '3',
      device: 'xvdd',
      bootable: true,
      mode: 'RO',
      type: 'CD',
      unpluggable: false,
      empty: true,
      metrics: w.create('VBD_metrics', {}),
    });
    refreshVm(db, w, vm);
  });
}
