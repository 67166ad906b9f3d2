/** Disks of guests that carry their own kernel: Tiny Linux's, with GRUB's menu. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What they are made with. */
export const diskTools: readonly string[] = ['mke2fs', 'sfdisk'];
export const guest: string = join(import.meta.dirname, '../../build/guest');
const mib = 1 << 20;

/** An entry of the menu whose kernel is told `entry=TITLE`. */
export const menuEntry = (title: string, cmdline: string): string =>
  `menuentry '${title}' {\n linux /boot/vmlinuz ${cmdline} entry=${title}\n initrd /boot/initrd.img\n}\n`;

/** A CD that boots on a machine with a BIOS: GRUB, and Tiny Linux by GRUB's menu. */
export function guestCd(folder: string, menu: string): string {
  const [tree, cd] = [join(folder, 'cd'), join(folder, 'cd.iso')];
  const loader = 'boot/grub/loader.img';
  mkdirSync(join(tree, 'boot/grub'), { recursive: true });
  copyFileSync(join(guest, 'bzImage'), join(tree, 'boot/vmlinuz'));
  copyFileSync(join(guest, 'initramfs'), join(tree, 'boot/initrd.img'));
  writeFileSync(join(tree, 'boot/grub/grub.cfg'), menu);
  const modules = ['biosdisk', 'iso9660', 'normal', 'linux'];
  execFileSync('grub-mkimage', [
    ...['-O', 'i386-pc-eltorito', '-p', '(cd)/boot/grub', '-o', join(tree, loader)],
    ...modules,
  ]);
  const boot = ['-b', loader, '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table', '--grub2-boot-info'];
  execFileSync('xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-o', cd, ...boot, tree], { stdio: 'ignore' });
  return cd;
}
/** The size of `guestDisk`. */
export const diskBytes: number = 40 * mib;
/** A disk with a partition of ext4 that holds Tiny Linux and a GRUB menu. */
export function guestDisk(folder: string, menu: string): string {
  const tree = join(folder, 'tree');
  const [fs, disk] = [join(folder, 'fs.raw'), join(folder, 'disk.raw')];
  mkdirSync(join(tree, 'boot/grub'), { recursive: true });
  copyFileSync(join(guest, 'bzImage'), join(tree, 'boot/vmlinuz'));
  copyFileSync(join(guest, 'initramfs'), join(tree, 'boot/initrd.img'));
  writeFileSync(join(tree, 'boot/grub/grub.cfg'), menu);
  const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', tree, fs, '36M'], { env });
  const image = Buffer.alloc(diskBytes);
  readFileSync(fs).copy(image, mib);
  writeFileSync(disk, image);
  execFileSync('sfdisk', ['-q', disk], {
    env,
    stdio: ['pipe', 'ignore', 'pipe'],
    input: `label: gpt\nstart=2048,size=${(36 * mib) / 512}\n`,
  });
  return disk;
}
