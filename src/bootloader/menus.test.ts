/** Configurations as distributions write them, and which kernel each comes down to. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so GRUB writes its variables
import assert from 'node:assert/strict';
import test from 'node:test';
import { isKind } from '../contracts/contract.ts';
import { compareVersions } from './bls.ts';
import { choose, type Target } from './menu.ts';
import { searchMenu } from './search.ts';
import { type MemoryVolume, memoryFiles } from './testing.ts';

async function booted(volumes: Readonly<Record<string, MemoryVolume>>, wish?: string) {
  const { menu, place } = await searchMenu(memoryFiles(volumes));
  const { title, target } = await choose(menu, wish);
  return { place, title, ...shown(target) };
}
const shown = ({ kernel, ramdisks, cmdline }: Target) => ({
  kernel: `(${kernel.volume})${kernel.path}`,
  ramdisks: ramdisks.map((r) => `(${r.volume})${r.path}`),
  cmdline,
});
const refused = (words: RegExp) => (e: unknown) =>
  isKind(e, 'Nothing_to_boot') && words.test(e.message) ? true : assert.fail(String(e));

const root = '3f6a2f0c-9d4e-4f8b-a1c5-0c9d8e7f6a5b';
const debian = `
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "\${next_entry}" ] ; then
   set default="\${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="0"
fi
if [ x"\${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
export menuentry_id_option
function load_video {
  if [ x$feature_all_video_module = xy ]; then insmod all_video
  else
    insmod efi_gop
  fi
}
if [ x$feature_default_font_path = xy ] ; then
   font=unicode
fi
if loadfont $font ; then
  set gfxmode=auto
fi
terminal_output gfxterm
### a comment with 'quotes and {
menuentry 'Debian GNU/Linux' --class debian --class gnu-linux $menuentry_id_option 'gnulinux-simple' {
	load_video
	insmod gzio
	if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
	set root='hd0,gpt2'
	if [ x$feature_platform_search_hint = xy ]; then
	  search --no-floppy --fs-uuid --set=root --hint-bios=hd0,gpt2 --hint-efi=hd0,gpt2 ${root}
	else
	  search --no-floppy --fs-uuid --set=root ${root}
	fi
	echo	'Loading Linux 6.1.0-18-amd64 ...'
	linux	/boot/vmlinuz-6.1.0-18-amd64 root=UUID=${root} ro  quiet "two words"
	echo	'Loading initial ramdisk ...'
	initrd	/boot/early.cpio /boot/initrd.img-6.1.0-18-amd64
}
submenu 'Advanced options' $menuentry_id_option 'gnulinux-advanced' {
	menuentry 'Debian, with Linux 6.1.0-18-amd64' --id 'new' {
		linux	/boot/vmlinuz-6.1.0-18-amd64 root=UUID=${root}
	}
	menuentry 'Debian, with Linux 6.1.0-17-amd64 (recovery)' --id 'old' {
		linux	/boot/vmlinuz-6.1.0-17-amd64 single
	}
}
menuentry 'Memory test' { linux16 /boot/memtest86+.bin }
menuentry "Windows" { chainloader +1; }
if [ -f  \${config_directory}/custom.cfg ]; then
  source \${config_directory}/custom.cfg
fi
`;
const disk = (files: Record<string, string>): Record<string, MemoryVolume> => ({
  'loop0,gpt1': { uuid: 'AB12-CD34', label: 'EFI', files: { '/EFI/debian/grub.cfg': 'search.fs_uuid none root' } },
  'loop0,gpt2': { uuid: root, files },
});
const cfg = '/boot/grub/grub.cfg';

test('Debian: its default, and others by number, id, title and path', async () => {
  const volumes = disk({ [cfg]: debian });
  assert.deepEqual(await booted(volumes), {
    place: `(loop0,gpt2)${cfg}`,
    title: 'Debian GNU/Linux',
    kernel: '(loop0,gpt2)/boot/vmlinuz-6.1.0-18-amd64',
    ramdisks: ['(loop0,gpt2)/boot/early.cpio', '(loop0,gpt2)/boot/initrd.img-6.1.0-18-amd64'],
    cmdline: `root=UUID=${root} ro quiet "two words"`,
  });
  const old = 'Advanced options > Debian, with Linux 6.1.0-17-amd64 (recovery)';
  for (const wish of ['1>1', 'gnulinux-advanced>old', 'Advanced options>old']) {
    const it = await booted(volumes, wish);
    assert.deepEqual([it.title, it.kernel, it.cmdline], [old, '(loop0,gpt2)/boot/vmlinuz-6.1.0-17-amd64', 'single']);
  }
  assert.match((await booted(volumes, '1')).title, /> Debian, with Linux 6.1.0-18/);
  assert.equal((await booted(volumes, 'Memory test')).kernel, '(loop0,gpt2)/boot/memtest86+.bin');
  await assert.rejects(booted(volumes, 'Windows'), refused(/"Windows" starts no Linux kernel/));
  await assert.rejects(booted(volumes, 'Plan 9'), refused(/no entry "Plan 9"; there are 0 "Debian GNU\/Linux", 1/));
});
test('a saved entry, an entry for the next boot only, and a menu of the owner', async () => {
  const saved = debian.replace('set default="0"', 'set default="${saved_entry}"');
  const env = '# GRUB Environment Block\nsaved_entry=gnulinux-advanced>old\n####';
  const at = async (files: Record<string, string>) => (await booted(disk(files))).title;
  assert.match(await at({ [cfg]: saved, '/boot/grub/grubenv': env }), /recovery/);
  assert.equal(await at({ [cfg]: saved }), 'Debian GNU/Linux');
  assert.equal(await at({ [cfg]: debian, '/boot/grub/grubenv': 'next_entry=Memory test\n' }), 'Memory test');
  const custom = {
    '/boot/grub/custom.cfg': 'set default=mine\nmenuentry Mine --id mine { linux (hd0,msdos2)/k a=$root }',
  };
  const own = await booted(disk({ [cfg]: debian, ...custom }));
  assert.deepEqual([own.kernel, own.cmdline], ['(loop0,gpt2)/k', 'a=loop0,gpt2']);
});
test('an EFI partition whose file leads to the real one', async () => {
  const volumes = disk({ '/grub/grub.cfg.real': '', '/own/grub.cfg': 'menuentry A { linux /vmlinuz $prefix }' });
  volumes['loop0,gpt1'] = {
    files: {
      '/EFI/debian/grub.cfg': `search.fs_uuid ${root} root hd0,gpt2\nset prefix=($root)'/own'\nconfigfile $prefix/grub.cfg`,
    },
  };
  const it = await booted(volumes);
  assert.deepEqual([it.kernel, it.cmdline], ['(loop0,gpt2)/vmlinuz', '(loop0,gpt2)/own']);
});
test('Fedora: entries in files of their own, the newest first, with variables of grubenv', async () => {
  const entry = (version: string) =>
    `title Fedora (${version})\nversion ${version}\nlinux /vmlinuz-${version}\ninitrd /initramfs-${version}.img $tuned_initrd\noptions $kernelopts ro rhgb\ngrub_users $grub_users\n`;
  const files = {
    '/grub2/grub.cfg':
      'set pager=1\nload_env -f ($root)/grub2/grubenv\nif [ "${boot_success}" = "1" -o "${boot_indeterminate}" = "1" ]; then set menu_hide_ok=1; fi\nset default="${saved_entry}"\nsearch --no-floppy --fs-uuid --set=boot BOOT-UUID\ninsmod blscfg\nblscfg\nif [ $? = 0 ]; then true; fi\n',
    '/grub2/grubenv': 'kernelopts=root=/dev/mapper/fedora-root\nboot_success=1\n',
    '/loader/entries/0a1b-5.14.0-70.el9.conf': entry('5.14.0-70.el9'),
    '/loader/entries/0a1b-5.14.0-362.el9.conf': entry('5.14.0-362.el9'),
  };
  const volumes = { 'loop0,msdos1': { uuid: 'BOOT-UUID', files } };
  assert.deepEqual(await booted(volumes), {
    place: '(loop0,msdos1)/grub2/grub.cfg',
    title: 'Fedora (5.14.0-362.el9)',
    kernel: '(loop0,msdos1)/vmlinuz-5.14.0-362.el9',
    ramdisks: ['(loop0,msdos1)/initramfs-5.14.0-362.el9.img'],
    cmdline: 'root=/dev/mapper/fedora-root ro rhgb',
  });
  const older = { ...files, '/grub2/grubenv': 'saved_entry=0a1b-5.14.0-70.el9\n' };
  assert.equal((await booted({ 'loop0,msdos1': { uuid: 'BOOT-UUID', files: older } })).title, 'Fedora (5.14.0-70.el9)');
});
test('systemd-boot: its default by a pattern', async () => {
  const files = {
    '/loader/loader.conf': 'timeout 3\ndefault arch-*\n',
    '/loader/entries/zebra.conf': 'title Z\nlinux /z',
    '/loader/entries/arch-lts.conf':
      'title Arch\nlinux /vmlinuz-lts\ninitrd /ucode.img\ninitrd /initramfs.img\noptions a\noptions b',
  };
  const it = await booted({ 'loop0,gpt1': { files } });
  assert.deepEqual([it.title, it.ramdisks.length, it.cmdline], ['Arch', 2, 'a b']);
});
test('GRUB 1: numbers from 0, a root, and a hypervisor with modules', async () => {
  const text = `# comment\ndefault=1\ntimeout 5\ntitle Old\n\troot (hd0,0)\n\tkernel /vmlinuz-old ro\ntitle CentOS (2.6.18-8.el5xen)\n\troot (hd0,0)\n\tkernel /vmlinuz-2.6.18-8.el5xen ro root=/dev/VolGroup00/LogVol00\n\tinitrd /initrd-2.6.18-8.el5xen.img\ntitle Xen\n\tkernel (hd0,0)/xen.gz-2.6.18 dom0_mem=1G\n\tmodule /vmlinuz-xen console=hvc0\n\tmodule /initrd-xen\n`;
  const volumes = {
    'loop0,msdos1': { files: { '/grub/menu.lst': text } },
    'loop0,msdos2': { files: {} },
  };
  assert.deepEqual(await booted(volumes), {
    place: '(loop0,msdos1)/grub/menu.lst',
    title: 'CentOS (2.6.18-8.el5xen)',
    kernel: '(loop0,msdos1)/vmlinuz-2.6.18-8.el5xen',
    ramdisks: ['(loop0,msdos1)/initrd-2.6.18-8.el5xen.img'],
    cmdline: 'ro root=/dev/VolGroup00/LogVol00',
  });
  const xen = await booted(volumes, 'Xen');
  assert.deepEqual([xen.kernel, xen.ramdisks], ['(loop0,msdos1)/vmlinuz-xen', ['(loop0,msdos1)/initrd-xen']]);
});
test('extlinux: Alpine, an included menu, a default with a menu program', async () => {
  const alpine =
    'DEFAULT menu.c32\nPROMPT 0\nTIMEOUT 10\nMENU TITLE Alpine\nLABEL virt\n  MENU DEFAULT\n  MENU LABEL Linux ^virt\n  LINUX vmlinuz-virt\n  INITRD initramfs-virt\n  APPEND root=UUID=1 modules=ext4\n\nLABEL hdt\n KERNEL hdt.c32\n';
  const it = await booted({ loop0: { files: { '/boot/extlinux.conf': alpine } } });
  assert.deepEqual(
    [it.title, it.kernel, it.ramdisks, it.cmdline],
    ['Linux virt', '(loop0)/boot/vmlinuz-virt', ['(loop0)/boot/initramfs-virt'], 'root=UUID=1 modules=ext4'],
  );
  const debianDisc = {
    '/isolinux/isolinux.cfg': 'include menu.cfg\ndefault vesamenu.c32\n',
    '/isolinux/menu.cfg':
      'label install\n menu label ^Install\n kernel /install.amd/vmlinuz\n append vga=788 initrd=/install.amd/initrd.gz --- quiet\n',
  };
  const disc = await booted({ loop0: { files: debianDisc } });
  assert.deepEqual(
    [disc.kernel, disc.ramdisks, disc.cmdline],
    ['(loop0)/install.amd/vmlinuz', ['(loop0)/install.amd/initrd.gz'], 'vga=788 --- quiet'],
  );
  await assert.rejects(
    booted({ loop0: { files: { '/extlinux.conf': alpine } } }, 'hdt'),
    refused(/starts hdt.c32, not Linux/),
  );
});
test('what leads nowhere is told', async () => {
  await assert.rejects(booted({}), refused(/no file system/));
  await assert.rejects(booted({ loop0: { label: 'DATA', files: {} } }), refused(/was found on loop0 "DATA"/));
  const at = (text: string) => booted({ loop0: { files: { '/boot/grub/grub.cfg': text } } });
  await assert.rejects(at('set x=1'), refused(/menu without entries/));
  await assert.rejects(at("menuentry 'x"), refused(/line 1: a ' is not closed/));
  await assert.rejects(at('menuentry x {\n\nlinux /k'), refused(/line 3: the script ends where } is missing/));
  await assert.rejects(at('menuentry x { linux (hd9,7)/k; }'), refused(/"\(hd9,7\)\/k", which is not on this disk/));
  await assert.rejects(at('menuentry x { linux (host)/etc/passwd; }'), refused(/not on this disk/));
  await assert.rejects(at('menuentry x { linux (proc)/luks_script; }'), refused(/not on this disk/));
});
test('scripts that would run for ever, or grow, are ended', async () => {
  const at = (text: string) => booted({ loop0: { files: { '/boot/grub/grub.cfg': text } } });
  await assert.rejects(at('while true; do set x=1; done'), refused(/more than 20000 commands/));
  await assert.rejects(at('while true; do true; done'), refused(/more than 20000 commands/));
  await assert.rejects(at('function f { f; }\nf'), refused(/too deep/));
  await assert.rejects(at('source /boot/grub/grub.cfg'), refused(/too deep|commands/));
  await assert.rejects(at(`set a=xxxxxxxxxx\n${'set a=$a$a$a$a\n'.repeat(40)}`), refused(/too long/));
  await assert.rejects(at('while true; do menuentry x { true; }; done'), refused(/too many entries/));
  const words = 'a '.repeat(5_000);
  await assert.rejects(
    at(`for i in ${words}; do for j in ${words}; do true; done; done`),
    refused(/commands|too long/),
  );
  await assert.rejects(at(`${'if true; then '.repeat(500)}`), refused(/nested/));
  await assert.rejects(at('menuentry a { while true; do true; done }'), refused(/more than 20000 commands/));
});
test('versions are in the order of package managers', () => {
  const sorted = ['5.14.0-70', '5.14.0-362', '6.1.0~rc1', '6.1.0', '6.1.0.1', '6.2', '10.0'];
  assert.deepEqual(sorted.toReversed().sort(compareVersions), sorted);
});
