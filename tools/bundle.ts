/**
 * Bundles commands into `dist/`, one file each, so that they start fast. `bin/*` fall back to the source when it is missing.
 *
 *     bin/node tools/bundle.ts [NAME …]
 */
import { join, parse } from 'node:path';
import { type BuildOptions, build } from 'esbuild';

const root = join(import.meta.dirname, '..');

/** File in `dist/` → its main file. Adding a command: its row here. A program that awaits at its top is a module (`.mjs`). */
export const bundles: Readonly<Record<string, string>> = {
  'xe.cjs': 'src/doors/xe/client-main.ts',
  'xenstored.cjs': 'src/apps/xenstored.ts',
  'forkexecd.mjs': 'src/apps/supervisor.ts',
  'message-switch.mjs': 'src/apps/message-switch.ts',
  'xenvm.mjs': 'src/apps/xenvm.ts',
  // The store's thread, which those that have a store start from beside them.
  'sqlite-worker.mjs': 'src/store/sqlite-worker.ts',
};

export const optionsFor = (file: string, entry: string): BuildOptions => ({
  entryPoints: [join(root, entry)],
  outfile: join(root, 'dist', file),
  bundle: true,
  platform: 'node',
  target: 'node24',
  minify: true,
  keepNames: true,
  legalComments: 'none',
  // A native module, loaded only where Xen is used; NATS, only where its address is given.
  external: ['koffi', '@nats-io/*'],
  // All that asks for it makes a `require` of its own, which a file's name is enough for.
  ...(file.endsWith('.cjs') ? { format: 'cjs', define: { 'import.meta.url': '__filename' } } : { format: 'esm' }),
  logLevel: 'warning',
});

const nameOf = (file: string): string => parse(file).name;

if (import.meta.main) {
  const asked = process.argv.slice(2);
  const names = Object.keys(bundles).map(nameOf);
  const unknown = asked.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    console.error(`bundle: there is no command ${JSON.stringify(unknown)}; there are: ${names.join(', ')}`);
    process.exit(1);
  }
  for (const [file, entry] of Object.entries(bundles)) {
    if (asked.length > 0 && !asked.includes(nameOf(file))) continue;
    await build(optionsFor(file, entry));
    console.log(`dist/${file}`);
  }
}
