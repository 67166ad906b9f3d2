/** Where distributions keep their installers, below the address of a repository or on a disc. Pure. */

export interface Candidate {
  readonly kernel: string;
  readonly ramdisk: string;
}
/** What the VM says about the installer that it wants. */
export interface Hints {
  readonly release?: string;
  readonly arch?: string;
}
const pair = (folder: string, kernel: string, ramdisk: string): Candidate => ({
  kernel: folder + kernel,
  ramdisk: folder + ramdisk,
});
const fits = (word: string | undefined, fallback: string): string =>
  word !== undefined && /^[A-Za-z0-9][\w.+-]{0,63}$/.test(word) ? word : fallback;

/** In the order of trying: what was made for Xen first. Paths are relative. */
export function candidates(hints: Hints): readonly Candidate[] {
  const arch = fits(hints.arch, 'amd64');
  const machine = arch === 'amd64' ? 'x86_64' : arch;
  const images = `dists/${fits(hints.release, 'stable')}/main/installer-${arch}/current`;
  const netboot = [`${images}/images/netboot/`, `${images}/legacy-images/netboot/`, 'netboot/', ''];
  return [
    // Debian and Ubuntu: a mirror, then a folder of images.
    ...netboot.flatMap((folder) => [
      pair(`${folder}xen/`, 'vmlinuz', 'initrd.gz'),
      pair(`${folder}debian-installer/${arch}/`, 'linux', 'initrd.gz'),
      pair(`${folder}ubuntu-installer/${arch}/`, 'linux', 'initrd.gz'),
    ]),
    // Their discs.
    pair('install.amd/xen/', 'vmlinuz', 'initrd.gz'),
    pair('install.amd/', 'vmlinuz', 'initrd.gz'),
    pair('casper/', 'vmlinuz', 'initrd'),
    // Red Hat, Fedora and theirs.
    pair('images/xen/', 'vmlinuz', 'initrd.img'),
    pair('images/pxeboot/', 'vmlinuz', 'initrd.img'),
    pair('isolinux/', 'vmlinuz', 'initrd.img'),
    // SUSE.
    pair(`boot/${machine}/`, 'vmlinuz-xen', 'initrd-xen'),
    pair(`boot/${machine}/loader/`, 'linux', 'initrd'),
    // Alpine.
    pair('boot/', 'vmlinuz-virt', 'initramfs-virt'),
    pair('boot/', 'vmlinuz-lts', 'initramfs-lts'),
  ];
}

/** What Red Hat's `.treeinfo` names; undefined when it names none. */
export function treeInfoCandidate(text: string, hints: Hints): Candidate | undefined {
  const arch = fits(hints.arch, 'amd64');
  const machine = arch === 'amd64' ? 'x86_64' : arch;
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  for (const line of text.split(/\r?\n/).slice(0, 2_000)) {
    const name = /^\s*\[([^\]]+)\]/.exec(line)?.[1];
    if (name !== undefined) sections.set(name, (section = new Map()));
    const [, key = '', value = ''] = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== '') section.set(key, value);
  }
  for (const name of ['images-xen', `images-${machine}`]) {
    const [kernel, ramdisk] = [sections.get(name)?.get('kernel'), sections.get(name)?.get('initrd')];
    if (isRelative(kernel) && isRelative(ramdisk)) return { kernel, ramdisk };
  }
  return undefined;
}
const isRelative = (path: string | undefined): path is string =>
  path !== undefined && /^[\w][\w./+-]{0,200}$/.test(path) && !path.split('/').includes('..');
