/**
 * The box's Debian: one folder of the cache with `rootfs.img`, `xen`, `vmlinuz`, `initrd` and `about.json`, made from the machine's own
 * sources of packages and named by the digest of its recipe.
 *
 *     packages ─▶ root folder ─▶ kernel and hypervisor unpacked beside it ─▶ drivers picked ─▶ initrd ─▶ disk image ─▶ renamed: done
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type AptSources, aptSources } from './apt-sources.ts';
import { digestOf } from './digest.ts';
import { lines, moduleNames, pickModules } from './modules.ts';
import { BoxProblem } from './problem.ts';
import { runTool } from './tool.ts';

/** The one Xen whose libraries the toolstack knows. */
const hypervisorPackage = 'xen-hypervisor-4.17-amd64';
const kernelPackage = 'linux-image-amd64';
/** Changes when the same lists would give another image. */
const recipe = 1;
/** The size that a box can use on its own disk; the file is sparse. */
const rootMib = 4096;
const initrdModules = ['virtio_pci', 'virtio_blk', 'crc32c_generic', 'ext4'];

export interface DebianOptions {
  /** The folder `box/` of the program. */
  readonly recipes: string;
  readonly cache: string;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** Where the layer is, or would be. */
export function debianFolder({ recipes, cache }: Pick<DebianOptions, 'recipes' | 'cache'>): string {
  return join(cache, `debian-${debianDigest(recipes, aptSources())}`);
}
function debianDigest(recipes: string, sources: AptSources): string {
  const files = ['packages.txt', 'modules.txt', 'initrd-init'].map((name) => readFileSync(join(recipes, name)));
  return digestOf([`${recipe}`, hypervisorPackage, kernelPackage, sources.release, sources.text, ...files]);
}

/** Makes the layer unless it is there; answers its folder. Needs root. */
export async function buildDebian(options: DebianOptions): Promise<string> {
  const folder = debianFolder(options);
  if (existsSync(join(folder, 'about.json'))) return folder;
  if (process.getuid?.() !== 0)
    throw new BoxProblem(
      'building the Debian of a box needs root: run this as root once (sudo), the box itself runs without',
    );
  mkdirSync(options.cache, { recursive: true });
  const work = mkdtempSync(join(options.cache, '.debian-'));
  // QEMU may run as somebody else.
  chmodSync(work, 0o755);
  try {
    await make(work, options);
    rmSync(folder, { recursive: true, force: true });
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  for (const name of readdirSync(options.cache))
    if (name.startsWith('debian-') && name !== basename(folder))
      rmSync(join(options.cache, name), { recursive: true, force: true });
  return folder;
}

async function make(work: string, options: DebianOptions): Promise<void> {
  const { say, signal, recipes } = options;
  const tool = { ...(signal ? { signal } : {}) };
  const sources = aptSources();
  const [root, apart] = [join(work, 'rootfs'), join(work, 'apart')];
  writeFileSync(join(work, 'debian.sources'), sources.text);
  // The machine's own ways to reach its sources: proxies, and what it accepts.
  const settings = await runTool(['apt-config', 'dump', 'Acquire'], tool);
  writeFileSync(
    join(work, 'apt.conf'),
    settings
      .split('\n')
      .filter((line) => !line.endsWith(' "";'))
      .join('\n'),
  );
  const packages = lines(readFileSync(join(recipes, 'packages.txt'), 'utf8'));
  say(`box: installing Debian ${sources.release} with ${packages.length} packages and what they need`);
  await runTool(
    [
      ...[
        'mmdebstrap',
        '--mode=root',
        '--variant=apt',
        '--format=directory',
        '--quiet',
        `--aptopt=${join(work, 'apt.conf')}`,
      ],
      ...['doc', 'man', 'info', 'locale', 'lintian'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
      ...['--skip=cleanup/apt/lists', `--include=${packages.join(',')}`],
      ...[sources.release, root, join(work, 'debian.sources')],
    ],
    { ...tool, package: 'mmdebstrap' },
  );
  say('box: adding kernel and hypervisor');
  await unpackApart(root, apart, tool);
  const version = await kernel(root, apart, work, recipes, tool);
  await initrd(root, work, recipes, version, tool);
  rmSync(join(root, 'var/lib/apt/lists'), { recursive: true, force: true });
  mkdirSync(join(root, 'opt/guesthouse'), { recursive: true });
  say('box: writing the disk image');
  const about = await describe(root, version, tool);
  await makeExt4(join(work, 'rootfs.img'), root, rootMib, tool);
  for (const name of ['rootfs', 'apart', 'debian.sources', 'apt.conf', 'initrd.d'])
    rmSync(join(work, name), { recursive: true, force: true });
  writeFileSync(join(work, 'about.json'), `${JSON.stringify({ release: sources.release, ...about }, null, 2)}\n`);
}

type Tool = { readonly signal?: AbortSignal };

/** Kernel and hypervisor would bring a boot loader and initramfs tools along; only their files are wanted. */
async function unpackApart(root: string, apart: string, tool: Tool): Promise<void> {
  const within = (...command: string[]) => runTool(['chroot', root, ...command], tool);
  const depends = await within('apt-cache', 'depends', '--no-recommends', '--no-suggests', kernelPackage);
  const image = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (!image) throw new BoxProblem(`${kernelPackage} names no kernel: ${depends.trim()}`);
  await within('sh', '-c', 'cd /tmp && exec apt-get -q download "$@"', 'sh', image, hypervisorPackage);
  mkdirSync(apart);
  for (const name of readdirSync(join(root, 'tmp')).filter((n) => n.endsWith('.deb'))) {
    const file = join(root, 'tmp', name);
    await runTool(['dpkg-deb', '-x', file, apart], tool);
    rmSync(file);
  }
}

/** Places kernel, hypervisor and drivers; answers the kernel's version. */
async function kernel(root: string, apart: string, work: string, recipes: string, tool: Tool): Promise<string> {
  const boot = join(apart, 'boot');
  const vmlinuz = readdirSync(boot).find((name) => name.startsWith('vmlinuz-'));
  const hypervisor = readdirSync(boot).find((name) => /^xen-.*\.gz$/.test(name));
  if (!vmlinuz || !hypervisor)
    throw new BoxProblem(`${kernelPackage} or ${hypervisorPackage} holds no kernel: ${readdirSync(boot)}`);
  cpSync(join(boot, vmlinuz), join(work, 'vmlinuz'));
  writeFileSync(join(work, 'xen'), gunzipSync(readFileSync(join(boot, hypervisor))));
  const version = vmlinuz.slice('vmlinuz-'.length);
  const all = [join(apart, 'lib/modules', version), join(apart, 'usr/lib/modules', version)].find((p) => existsSync(p));
  if (!all) throw new BoxProblem(`the kernel ${version} came without drivers`);
  const target = join(root, 'lib/modules', version);
  mkdirSync(dirname(target), { recursive: true });
  renameSync(all, target);
  const depmod = () => runTool(['chroot', root, 'depmod', version], tool);
  await depmod();
  const read = (name: string) => readFileSync(join(target, name), 'utf8');
  const wanted = moduleNames(readFileSync(join(recipes, 'modules.txt'), 'utf8'));
  const keep = new Set(pickModules(read('modules.dep'), read('modules.builtin'), wanted));
  for (const path of readdirSync(target, { recursive: true, encoding: 'utf8' }))
    if (/\.ko(\.\w+)?$/.test(path) && !keep.has(path)) rmSync(join(target, path));
  await depmod();
  return version;
}

/** The little root that mounts the disks. */
async function initrd(root: string, work: string, recipes: string, version: string, tool: Tool): Promise<void> {
  const folder = join(work, 'initrd.d');
  for (const name of ['bin', 'dev', 'proc', 'sys', 'root', 'modules'])
    mkdirSync(join(folder, name), { recursive: true });
  cpSync(join(root, 'bin/busybox'), join(folder, 'bin/busybox'));
  cpSync(join(recipes, 'initrd-init'), join(folder, 'init'));
  const modules = join(root, 'lib/modules', version);
  const dep = readFileSync(join(modules, 'modules.dep'), 'utf8');
  const builtin = readFileSync(join(modules, 'modules.builtin'), 'utf8');
  const files = pickModules(dep, builtin, initrdModules);
  for (const file of files) cpSync(join(modules, file), join(folder, 'modules', basename(file)));
  writeFileSync(join(folder, 'modules/order'), files.map((file) => `${basename(file)}\n`).join(''));
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const archive = join(work, 'initrd');
  await runTool(['cpio', '-o', '-H', 'newc', '-R', '0:0', '--quiet', '-O', archive], {
    ...tool,
    cwd: folder,
    input: `${names.join('\n')}\n`,
    package: 'cpio',
  });
}

async function describe(root: string, version: string, tool: Tool): Promise<object> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own form
  const list = await runTool(['chroot', root, 'dpkg-query', '-W', '-f', '${Package} ${Version}\\n'], tool);
  return { kernel: version, packages: list.trim().split('\n') };
}

/** A sparse ext4 image with what is in `folder`. */
export async function makeExt4(
  image: string,
  folder: string,
  sizeMib: number,
  tool: Tool,
  more: readonly string[] = [],
): Promise<void> {
  await runTool(['mke2fs', '-q', '-t', 'ext4', '-m', '0', ...more, '-d', folder, image, `${sizeMib}M`], {
    ...tool,
    package: 'e2fsprogs',
  });
}
