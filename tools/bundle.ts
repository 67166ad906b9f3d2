/**
 * Bundles commands into `dist/`, one file each, so that they start fast. `bin/*` fall back to the source when it is missing.
 *
 *     bin/node tools/bundle.ts [NAME …]
 */
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';

const root = join(import.meta.dirname, '..');

/** Name in `dist/` → its main file. Adding a command: its row here. */
export const bundles: Readonly<Record<string, string>> = {
  xe: 'src/doors/xe/client-main.ts',
  xenstored: 'src/apps/xenstored.ts',
};

export const optionsFor = (name: string, entry: string): BuildOptions => ({
  entryPoints: [join(root, entry)],
  outfile: join(root, 'dist', `${name}.cjs`),
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  minify: true,
  keepNames: true,
  legalComments: 'none',
  // A native module, loaded only where Xen is used.
  external: ['koffi'],
  // All that asks for it makes a `require` of its own, which a file's name is enough for.
  define: { 'import.meta.url': '__filename' },
  logLevel: 'warning',
});

if (import.meta.main) {
  const asked = process.argv.slice(2);
  const unknown = asked.find((name) => !(name in bundles));
  if (unknown !== undefined) {
    console.error(
      `bundle: there is no command ${JSON.stringify(unknown)}; there are: ${Object.keys(bundles).join(', ')}`,
    );
    process.exit(1);
  }
  for (const [name, entry] of Object.entries(bundles)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    await build(optionsFor(name, entry));
    console.log(`dist/${name}.cjs`);
  }
}
