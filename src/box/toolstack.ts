/**
 * The toolstack of a box: this program without its tests, its production packages with Node, and Tiny Linux, as one read-only ext4 image
 * that the box mounts at /opt/guesthouse. It takes a second or two, so a change of the program needs no new Debian.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { bundleMains } from './bundle.ts';
import { makeExt4 } from './debian.ts';
import { digestTree } from './digest.ts';
import { BoxProblem } from './problem.ts';

export interface ToolstackOptions {
  /** The folder with package.json. */
  readonly root: string;
  readonly cache: string;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

const sources = ['package.json', 'bin', 'box', 'src', 'dist'];
const parts = [...sources, 'package-lock.json', 'build/guest'];
const isTest = (path: string) => /\.test\.ts$/.test(path) || path === 'src/xenops/testing';
const sizeMib = 1024;

/** Where the image is, or would be. */
export const toolstackImage = ({ root, cache }: Pick<ToolstackOptions, 'root' | 'cache'>): string =>
  join(cache, `toolstack-${digestTree(root, parts, isTest)}.img`);

/** Makes the image unless it is there; answers its path. */
export async function buildToolstack(options: ToolstackOptions): Promise<string> {
  const { root, cache, say, signal } = options;
  if (!existsSync(join(root, 'build/guest/manifest.json')))
    throw new BoxProblem(`${join(root, 'build/guest')}: the guest image is not built; run 'npm run setup' first`);
  const image = toolstackImage(options);
  if (existsSync(image)) return image;
  say('box: packing the toolstack');
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, '.toolstack-'));
  try {
    const folder = join(work, 'root');
    await copySources(root, folder);
    for (const path of ['build/guest', ...productionPackages(root)]) copy(root, folder, path);
    await makeExt4(join(work, 'image'), folder, sizeMib, { ...(signal ? { signal } : {}) }, ['-O', '^has_journal']);
    renameSync(join(work, 'image'), image);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  // Older ones are of no use; a box that runs from one keeps it open.
  for (const name of readdirSync(cache))
    if (/^toolstack-.*\.img$/.test(name) && name !== basename(image)) rmSync(join(cache, name));
  return image;
}

function copy(root: string, folder: string, path: string): void {
  const from = join(root, path);
  if (!existsSync(from)) return;
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  cpSync(from, join(folder, path), {
    recursive: true,
    preserveTimestamps: true,
    verbatimSymlinks: true,
    // Packages inside of packages have an entry of their own.
    filter: (source) => !isTest(source.slice(root.length + 1)) && (source === from || !nestedPackages(source)),
  });
}
/** The program itself, without packages. */
export async function copySources(root: string, folder: string): Promise<void> {
  for (const path of sources) copy(root, folder, path);
  withoutTypes(join(folder, 'src'));
  await bundleMains(root, folder);
}

/** In place: lines and columns stay, and `box/plain.mjs` loads them as they are. */
function withoutTypes(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const path = join(folder, name);
    const { atime, mtime } = statSync(path);
    writeFileSync(path, stripTypeScriptTypes(readFileSync(path, 'utf8')));
    // Commands compare times to see whether their bundle is that of their sources.
    utimesSync(path, atime, mtime);
  }
}

const nestedPackages = (source: string) => basename(source) === 'node_modules';

/** Folders of the installed packages that are not for development only. */
function productionPackages(root: string): string[] {
  const list = JSON.parse(readFileSync(join(root, 'node_modules/.package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
  };
  return Object.entries(list.packages)
    .filter(([path, entry]) => path.startsWith('node_modules/') && !entry.dev && !entry.devOptional)
    .map(([path]) => path);
}
