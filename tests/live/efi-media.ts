/** Media that boot on a PC with UEFI, made by GRUB's own tools: Tiny Linux with a loader before it. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const guest = join(import.meta.dirname, '../../build/guest');
const grub = '/usr/lib/grub/x86_64-efi';
const path = `${process.env['PATH']}:/usr/sbin:/sbin`;
const has = (program: string) => path.split(':').some((folder) => existsSync(join(folder, program)));

/** Why such media cannot be made here; undefined when they can. */
export function cannotMake(): string | undefined {
  if (!existsSync(grub)) return 'the package grub-efi-amd64-bin is not installed';
  const missing = ['grub-mkrescue', 'grub-mkstandalone', 'xorriso', 'mcopy', 'mkfs.vfat', 'sfdisk'].filter(
    (p) => !has(p),
  );
  return missing.length > 0 ? `not installed: ${missing.join(', ')}` : undefined;
}
const run = (program: string, args: readonly string[], input?: string) =>
  execFileSync(program, args, {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { ...process.env, PATH: path },
    ...(input ? { input } : {}),
  });

/** The folders of a system: kernel, ramdisk, and a menu whose only entry adds `word` to the command line. */
function system(folder: string, word: string): string {
  const { cmdline } = JSON.parse(readFileSync(join(guest, 'manifest.json'), 'utf8')) as { cmdline: string };
  const top = join(folder, `system-${word.replace('=', '-')}`);
  mkdirSync(join(top, 'boot/grub'), { recursive: true });
  copyFileSync(join(guest, 'bzImage'), join(top, 'boot/vmlinuz'));
  copyFileSync(join(guest, 'initramfs'), join(top, 'boot/initrd.img'));
  const menu = `set timeout=0\nmenuentry Tiny { linux /boot/vmlinuz ${cmdline} ${word}; initrd /boot/initrd.img; }\n`;
  writeFileSync(join(top, 'boot/grub/grub.cfg'), menu);
  return top;
}

/** A CD image; answers its path. */
export function efiIso(folder: string): string {
  const image = join(folder, 'efi.iso');
  run('grub-mkrescue', ['-d', grub, '--locales=', '--fonts=', '--themes=', '-o', image, system(folder, 'from=cd')]);
  return image;
}
/** A disk of 64 MiB with a partition table and an EFI system partition. */
export function efiDisk(folder: string): string {
  const mib = 1 << 20;
  const top = system(folder, 'from=disk');
  const [loader, fat, disk] = ['BOOTX64.EFI', 'efi.fat', 'efi.raw'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const begin = join(folder, 'begin.cfg');
  writeFileSync(begin, 'search --file --set=root /boot/vmlinuz\nconfigfile ($root)/boot/grub/grub.cfg\n');
  const modules = 'part_gpt fat search search_fs_file configfile linux normal';
  run('grub-mkstandalone', [
    ...['-O', 'x86_64-efi', '-d', grub, '--locales=', '--fonts=', '--themes=', `--modules=${modules}`],
    ...[`--install-modules=${modules} test echo`, '-o', loader, `boot/grub/grub.cfg=${begin}`],
  ]);
  writeFileSync(fat, Buffer.alloc(60 * mib));
  run('mkfs.vfat', [fat]);
  run('mcopy', ['-s', '-i', fat, join(top, 'boot'), '::/']);
  run('mmd', ['-i', fat, '::/EFI', '::/EFI/BOOT']);
  run('mcopy', ['-i', fat, loader, '::/EFI/BOOT/BOOTX64.EFI']);
  const image = Buffer.alloc(64 * mib);
  readFileSync(fat).copy(image, mib);
  writeFileSync(disk, image);
  run('sfdisk', ['-q', disk], `label: gpt\nstart=2048,size=${(60 * mib) / 512},type=uefi\n`);
  return disk;
}
