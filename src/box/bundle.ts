/**
 * The main programs of the toolstack in few files each: a box under emulation loads these in seconds, and four hundred small files
 * in most of a minute. They replace their sources; all else stays beside them for whoever is started from it.
 */
import { existsSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const mains = ['guesthouse', 'house', 'supervisor', 'xenstored'];

/** Bundles from `root` into `folder`/src/apps. Without esbuild, which only development needs, the sources do as they are. */
export async function bundleMains(root: string, folder: string): Promise<void> {
  if (!existsSync(join(root, 'node_modules/esbuild'))) return;
  const { build } = await import('esbuild');
  const apps = join(root, 'src/apps');
  const found = mains.map((name) => `${name}.ts`).filter((name) => existsSync(join(apps, name)));
  await build({
    entryPoints: found.map((name) => join(apps, name)),
    outdir: join(folder, 'src/apps'),
    outExtension: { '.js': '.ts' },
    bundle: true,
    splitting: true,
    chunkNames: 'part-[hash]',
    packages: 'external',
    platform: 'node',
    target: 'node24',
    format: 'esm',
    legalComments: 'none',
    logLevel: 'silent',
    plugins: [
      {
        name: 'place',
        setup({ onLoad }) {
          onLoad({ filter: /\.ts$/ }, ({ path }) => ({
            contents: placed(readFileSync(path, 'utf8'), apps, path),
            loader: 'ts',
          }));
        },
      },
    ],
  });
  // Commands compare times to see whether a bundle of their own is that of their sources.
  for (const name of found) {
    const { atime, mtime } = statSync(join(apps, name));
    utimesSync(join(folder, 'src/apps', name), atime, mtime);
  }
}

/** A source that asks where it is hears where it was: its worker threads and data lie beside that. */
function placed(text: string, apps: string, path: string): string {
  const where = JSON.stringify(relative(apps, path));
  return text
    .replaceAll('import.meta.url', `new URL(${where}, import.meta.url).href`)
    .replaceAll(
      'import.meta.dirname',
      `new URL(${JSON.stringify(`${relative(apps, dirname(path)) || '.'}/`)}, import.meta.url).pathname`,
    );
}
