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

/** Puts GRUB before the first partition of a disk with a partition table of the old kind, for machines with a BIOS. */
export function installGrub(folder: string, disk: string): void {
  const core = join(folder, 'core.img');
  const modules = ['biosdisk', 'part_msdos', 'ext2', 'normal', 'linux'];
  execFileSync('grub-mkimage', ['-O', 'i386-pc', '-p', '(hd0,msdos1)/boot/grub', '-o', core, ...modules]);
  const image = readFileSync(disk);
  // All but the table; the rest is looked for in the second sector on, where the first sector expects it.
  readFileSync('/usr/lib/grub/i386-pc/boot.img').copy(image, 0, 0, 440);
  readFileSync(core).copy(image, 512);
  writeFileSync(disk, image);
}
/** A disk of 64 MiB with a partition of ext4 that holds Tiny Linux and a GRUB menu. */
export function guestDisk(folder: string, menu: string, label: 'gpt' | 'dos' = 'gpt'): string {
  const tree = join(folder, 'tree');
  const [fs, disk] = [join(folder, 'fs.raw'), join(folder, 'disk.raw')];
  mkdirSync(join(tree, 'boot/grub'), { recursive: true });
  copyFileSync(join(guest, 'bzImage'), join(tree, 'boot/vmlinuz'));
  copyFileSync(join(guest, 'initramfs'), join(tree, 'boot/initrd.img'));
  writeFileSync(join(tree, 'boot/grub/grub.cfg'), menu);
  const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', tree, fs, '60M'], { env });
  const image = Buffer.alloc(64 * mib);
  readFileSync(fs).copy(image, mib);
  writeFileSync(disk, image);
  execFileSync('sfdisk', ['-q', disk], {
    env,
    stdio: ['pipe', 'ignore', 'pipe'],
    input: `label: ${label}\nstart=2048,size=${(60 * mib) / 512}\n`,
  });
  return disk;
}
