/** Kernels out of real disk images, made here with the usual tools, read by the confined reader. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import type { Bootloader, BootRequest } from '../contracts/bootloader.ts';
import { isKind } from '../contracts/contract.ts';
import { openBootloader } from './server.ts';
import { smallKernel } from './testing.ts';

const path = `${process.env['PATH']}:/usr/sbin:/sbin`;
const env = { ...process.env, PATH: path };
const has = (program: string) => path.split(':').some((folder) => existsSync(join(folder, program)));
const missing = ['grub-fstest', 'qemu-storage-daemon', 'mke2fs', 'sfdisk', 'nsenter'].filter((p) => !has(p));
const skip = missing.length > 0 ? `not installed: ${missing.join(', ')}` : false;
const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });

const mib = 1 << 20;
let home = '';
let bootloader: Bootloader;
before(async () => {
  home = mkdtempSync(join(tmpdir(), 'gh-boot-'));
  chmodSync(home, 0o711); // the reader is a user of its own
  bootloader = await openBootloader({ clock: systemClock, log: silentLog });
});
after(() => rmSync(home, { recursive: true, force: true }));

let n = 0;
const place = (name: string) => join(home, `${n++}-${name}`);
const kernel = smallKernel(100 * 1024);
const ramdisk = Buffer.from('a ramdisk with an odd number of bytes');
const cfg = 'menuentry "One" { linux /boot/vmlinuz root=/dev/xvda1 ro\ninitrd /boot/early /boot/initrd.img\n}\n';
const content: Record<string, string | Buffer> = {
  'boot/vmlinuz-6.1': kernel,
  'boot/initrd.img': ramdisk,
  'boot/early': Buffer.from('abcde'),
  'boot/grub/grub.cfg': cfg,
};
function tree(files: Record<string, string | Buffer>): string {
  const top = place('tree');
  for (const [name, data] of Object.entries(files)) {
    mkdirSync(dirname(join(top, name)), { recursive: true });
    writeFileSync(join(top, name), data);
  }
  if ('boot/vmlinuz-6.1' in files) symlinkSync('vmlinuz-6.1', join(top, 'boot/vmlinuz'));
  return top;
}
function ext4(files = content, sizeMib = 16): string {
  const image = place('ext4.raw');
  run('mke2fs', '-q', '-t', 'ext4', '-L', 'guest', '-d', tree(files), image, `${sizeMib}M`);
  return image;
}
/** The file system in the first partition, from 1 MiB on. */
function partitioned(label: 'gpt' | 'dos', fs: string): string {
  const image = place(`${label}.raw`);
  const bytes = statSync(fs).size;
  writeFileSync(image, '');
  truncateSync(image, bytes + 2 * mib);
  const made = spawnSync('sfdisk', ['-q', image], { env, input: `label: ${label}\nstart=2048,size=${bytes / 512}\n` });
  assert.equal(made.status, 0, String(made.stderr));
  run('dd', `if=${fs}`, `of=${image}`, 'bs=1M', 'seek=1', 'conv=notrunc,sparse', 'status=none');
  return image;
}
function qcow2(raw: string): string {
  const image = place('disk.qcow2');
  run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, image);
  chmodSync(image, 0o600);
  return image;
}
async function extract(disk: string | null, changes: Partial<BootRequest> = {}) {
  const folder = changes.folder ?? place('boot');
  mkdirSync(folder, { recursive: true });
  const format = disk?.endsWith('.qcow2') ? ('qcow2' as const) : ('raw' as const);
  const given = disk === null ? null : { path: disk, format };
  const request = { loader: 'pygrub', args: '', cmdline: '', disk: given, disc: null, folder, ...changes };
  const boot = await bootloader.kernel.extract(request).catch((error: unknown) => {
    assert.deepEqual(readdirSync(folder), [], 'a failure leaves files behind');
    throw error;
  });
  assert.deepEqual(readdirSync(folder).sort(), boot.ramdisk === null ? ['kernel'] : ['kernel', 'ramdisk']);
  return {
    ...boot,
    kernel: readFileSync(boot.kernel),
    ramdisk: boot.ramdisk === null ? null : readFileSync(boot.ramdisk),
  };
}
const refused = (kind: string, words: RegExp) => (e: unknown) =>
  isKind(e, kind) && words.test(e.message) ? true : assert.fail(String(e));

test('ext4, with a partition table of either kind or none, raw or qcow2', { skip }, async () => {
  const whole = ext4();
  const gpt = partitioned('gpt', whole);
  for (const disk of [whole, gpt, partitioned('dos', whole), qcow2(gpt)]) {
    chmodSync(disk, 0o600);
    const boot = await extract(disk, { cmdline: 'console=hvc0' });
    assert.ok(boot.kernel.equals(kernel));
    // Padded, so that the next archive begins at a multiple of four.
    assert.deepEqual(boot.ramdisk, Buffer.concat([Buffer.from('abcde\0\0\0'), ramdisk, Buffer.alloc(3)]));
    assert.equal(boot.cmdline, 'root=/dev/xvda1 ro console=hvc0');
    assert.match(boot.title, /^One of \(loop0.*\/boot\/grub\/grub.cfg$/);
  }
  assert.ok((await extract(gpt, { args: '--offset=1048576' })).kernel.equals(kernel));
});
test('a host whose folder is closed to others', { skip }, async () => {
  const closed = place('closed');
  mkdirSync(join(closed, 'boot'), { recursive: true });
  chmodSync(closed, 0o700);
  const boot = await extract(ext4(), { folder: join(closed, 'boot') });
  assert.ok(boot.kernel.equals(kernel));
});
test('other file systems', { skip }, async (t) => {
  await t.test('FAT', { skip: has('mkfs.vfat') && has('mcopy') ? false : 'no dosfstools or mtools' }, async () => {
    const image = place('fat.raw');
    writeFileSync(image, '');
    truncateSync(image, 16 * mib);
    run('mkfs.vfat', '-n', 'MY DISK', image);
    const top = tree({ vmlinuz: kernel, 'extlinux.conf': 'LABEL a\nKERNEL /vmlinuz\nAPPEND x\n' });
    for (const name of readdirSync(top)) run('mcopy', '-i', image, join(top, name), '::/');
    assert.deepEqual([(await extract(image)).cmdline, (await extract(image)).ramdisk], ['x', null]);
  });
  await t.test('Btrfs', { skip: has('mkfs.btrfs') ? false : 'no btrfs-progs' }, async () => {
    const image = place('btrfs.raw');
    writeFileSync(image, '');
    truncateSync(image, 128 * mib);
    run('mkfs.btrfs', '-q', '--rootdir', tree(content), image);
    assert.ok((await extract(image)).kernel.equals(kernel));
  });
  await t.test('XFS', { skip: has('mkfs.xfs') ? false : 'no xfsprogs' }, async () => {
    const [image, proto, top] = [place('xfs.raw'), place('proto'), tree(content)];
    const file = (name: string) => ` ${name} ---644 0 0 ${join(top, 'boot', name)}`;
    const menu = ` grub d--755 0 0\n  grub.cfg ---644 0 0 ${join(top, 'boot/grub/grub.cfg')}\n $`;
    const files = [file('initrd.img'), file('early'), ` vmlinuz ---644 0 0 ${join(top, 'boot/vmlinuz-6.1')}`, menu];
    writeFileSync(proto, `/\n0 0\nd--755 0 0\nboot d--755 0 0\n${files.join('\n')}\n$\n$\n`);
    writeFileSync(image, '');
    truncateSync(image, 320 * mib);
    run('mkfs.xfs', '-q', '-p', proto, image);
    assert.ok((await extract(image)).kernel.equals(kernel));
  });
  const noLvm =
    process.getuid?.() === 0 && has('vgcreate') && has('losetup') ? false : 'needs root, lvm2 and loop devices';
  await t.test('a logical volume', { skip: noLvm }, async () => {
    const image = place('lvm.raw');
    writeFileSync(image, '');
    truncateSync(image, 40 * mib);
    const loop = String(run('losetup', '-f', '--show', image)).trim();
    try {
      // Nothing is activated: only the group's own record is written.
      const settings = `devices{scan_lvs=0 filter=["a|${loop}|","r|.*|"] use_devicesfile=0} global{activation=0}`;
      const lvm = (command: string, ...args: string[]) => run(command, '-q', '--config', settings, ...args);
      lvm('pvcreate', '-ff', '-y', loop);
      lvm('vgcreate', 'guest', loop);
      lvm('lvcreate', '-an', '-Zn', '-Wn', '-y', '-L', '20M', '-n', 'root', 'guest');
    } finally {
      run('losetup', '-d', loop);
    }
    run('dd', `if=${ext4()}`, `of=${image}`, 'bs=1M', 'seek=1', 'conv=notrunc', 'status=none');
    const boot = await extract(image);
    assert.match(boot.title, /\(lvm\/guest-root\)/);
    assert.ok(boot.kernel.equals(kernel));
  });
  const iso = (files: Record<string, string | Buffer>) => {
    const image = place('disc.raw');
    run('xorriso', '-as', 'mkisofs', '-quiet', '-R', '-V', 'DISC', '-o', image, tree(files));
    return image;
  };
  const noXorriso = has('xorriso') ? false : 'no xorriso';
  await t.test('ISO 9660: an installer on a disc, when the disk is empty', { skip: noXorriso }, async () => {
    const empty = place('empty.raw');
    writeFileSync(empty, Buffer.alloc(2 * mib));
    const disc = iso({ 'install.amd/vmlinuz': kernel, 'install.amd/initrd.gz': ramdisk });
    const request = { loader: 'eliloader', installRepository: 'cdrom', disc: { path: disc, format: 'raw' as const } };
    const boot = await extract(empty, request);
    assert.match(boot.title, /install.amd\/vmlinuz of the disc/);
    assert.ok(boot.kernel.equals(kernel));
    // What is installed is booted; unless the VM asks for the installer.
    assert.match((await extract(ext4(), request)).title, /^One of/);
    assert.match((await extract(ext4(), { ...request, args: '--install' })).title, /install.amd/);
    await assert.rejects(
      extract(empty, { ...request, loader: 'pygrub' }),
      refused('Nothing_to_boot', /no file system/),
    );
    await assert.rejects(
      extract(empty, { ...request, disc: null }),
      refused('Nothing_to_boot', /no disc in a CD drive/),
    );
  });
});
test('the VM names the files, or the entry, itself', { skip }, async () => {
  const disk = ext4();
  const direct = await extract(disk, {
    args: '--kernel=/boot/vmlinuz --ramdisk /boot/initrd.img --args="a b"',
    cmdline: 'c',
  });
  assert.deepEqual([direct.cmdline, direct.ramdisk], ['a b c', Buffer.concat([ramdisk, Buffer.alloc(3)])]);
  assert.equal(
    (await extract(disk, { loader: '/usr/lib/xen/bin/pygrub', args: '-q --entry One' })).cmdline,
    'root=/dev/xvda1 ro',
  );
  await assert.rejects(
    extract(disk, { args: '--entry=Two' }),
    refused('Nothing_to_boot', /no entry "Two"; there are 0 "One"/),
  );
  await assert.rejects(extract(disk, { args: '--kernel=/nix' }), refused('Nothing_to_boot', /no file "\/nix"/));
  await assert.rejects(extract(disk, { args: '--kernel=(host)/etc/passwd' }), refused('Nothing_to_boot', /no file/));
  await assert.rejects(
    extract(disk, { args: '--frob' }),
    refused('Bad_arguments', /"--frob" is not known; there are --entry/),
  );
  await assert.rejects(
    extract(disk, { loader: 'lilo' }),
    refused('Unknown_bootloader', /lilo is no boot loader.*pygrub/),
  );
  await assert.rejects(extract(null), refused('Nothing_to_boot', /no disk/));
});
test('what is no kernel, or not all of one, is refused with the reason', { skip }, async () => {
  const at = (data: Buffer | string) => extract(ext4({ ...content, 'boot/vmlinuz-6.1': data }));
  await assert.rejects(
    at(kernel.subarray(0, 90_000)),
    refused('Nothing_to_boot', /cut off: it has 90000 of 102400 bytes/),
  );
  await assert.rejects(at('#!/bin/sh\n'), refused('Nothing_to_boot', /neither a Linux kernel .* nor an ELF/));
  await assert.rejects(at(''), refused('Nothing_to_boot', /it is empty/));
  const { 'boot/initrd.img': _, ...without } = content;
  await assert.rejects(extract(ext4(without)), refused('Nothing_to_boot', /initrd.img is not there/));
  const cut = ext4({ ...content, 'boot/grub/grub.cfg': `# ${'x'.repeat(2 * mib)}\n${cfg}` });
  await assert.rejects(
    extract(cut),
    refused('Nothing_to_boot', /grub.cfg cannot be read: there are more than 1048576 bytes/),
  );
  const short = ext4();
  truncateSync(short, 200 * 1024);
  await assert.rejects(extract(short), refused('Nothing_to_boot', /./));
});
test('damaged disks are refused, or read as far as they are sound', { skip }, async () => {
  const sound = readFileSync(partitioned('gpt', ext4()));
  const damaged = place('damaged.raw');
  // The same damage every time: a row of numbers that only looks random.
  let state = 12345;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
  for (let round = 0; round < 12; round++) {
    const image = Buffer.from(sound);
    // From the partition table to the first folders: where structure is.
    for (let hits = 2 << round; hits > 0; hits--) image[random(2 * mib)] = random(256);
    if (round % 4 === 3) image.copyWithin(random(2 * mib), random(2 * mib), 3 * mib);
    writeFileSync(damaged, image);
    try {
      assert.ok((await extract(damaged)).kernel.length > 0);
    } catch (error) {
      if (!isKind(error, 'Nothing_to_boot')) throw error;
    }
  }
});
test('a link to a file of the host leads nowhere', { skip }, async () => {
  const top = tree({ 'boot/grub/grub.cfg': 'menuentry a { linux /boot/k\ninitrd /boot/i }', 'boot/k': kernel });
  symlinkSync('/etc/passwd', join(top, 'boot/i'));
  const image = place('link.raw');
  run('mke2fs', '-q', '-t', 'ext4', '-d', top, image, '16M');
  await assert.rejects(extract(image), refused('Nothing_to_boot', /cannot be read|not there/));
});
test('a call that is cancelled ends at once and leaves nothing', { skip }, async () => {
  const folder = place('boot');
  mkdirSync(folder);
  const abort = new AbortController();
  const disk = { path: ext4(), format: 'raw' as const };
  const work = bootloader.kernel.extract(
    { loader: 'pygrub', args: '', cmdline: '', disk, disc: null, folder },
    { signal: abort.signal },
  );
  abort.abort();
  await assert.rejects(work, refused('Cancelled', /./));
  assert.deepEqual(readdirSync(folder), []);
});
