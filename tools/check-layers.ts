/**
 * The architecture as a table that the build enforces: which room (folder of src/) may import which.
 * `docs/architecture.md` explains the rooms. Every static and dynamic import of every file is read.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** Room → rooms that it may import. `*` is every room; itself is always allowed. */
export const rooms: Readonly<Record<string, readonly string[]>> = {
  base: [],
  datamodel: ['base'],
  contracts: ['base'],
  wire: ['base', 'datamodel'],
  rpc: ['base', 'contracts', 'wire'],
  bus: ['base', 'wire'],
  store: ['base'],
  db: ['base', 'datamodel', 'store'],
  client: ['base', 'datamodel', 'wire'],
  api: ['base', 'datamodel', 'contracts', 'wire', 'db', 'client'],
  xen: ['base'],
  xenops: ['base', 'contracts', 'store', 'xen'],
  xenstore: ['base', 'contracts', 'wire', 'store', 'xen'],
  storage: ['base', 'contracts', 'wire', 'store'],
  network: ['base', 'contracts', 'store'],
  bootloader: ['base', 'contracts'],
  memory: ['base', 'contracts'],
  metrics: ['base', 'contracts', 'store'],
  vncterm: ['base', 'contracts'],
  processes: ['base', 'contracts', 'store'],
  switch: ['base', 'contracts', 'wire', 'store'],
  broker: ['base', 'contracts', 'wire', 'bus'],
  dbd: ['base', 'contracts', 'wire', 'store', 'bus'],
  doors: ['base', 'datamodel', 'contracts', 'rpc', 'client', 'wire', 'bus'],
  box: ['base', 'contracts', 'client'],
  web: ['base', 'datamodel', 'client'],
  apps: ['*'],
};

/** Rooms that run in a browser too, or are pure: no Node modules in them (tests aside). */
const withoutNode = new Set(['base', 'datamodel']);

const importPattern = /(?:\bfrom|\bimport)\s*\(?\s*(['"])([^'"]+)\1/g;

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourceFiles(path);
    return /\.(ts|vue)$/.test(entry.name) ? [path] : [];
  });
}

/** One line per wrong import below `src`: `file: why`. Tests may also import what is beside `src`. */
export function violations(src: string): string[] {
  const found: string[] = [];
  for (const file of sourceFiles(src)) {
    const room = relative(src, file).split('/')[0] ?? '';
    const allowed = rooms[room];
    if (!allowed) {
      found.push(`${file}: no such room: ${room}`);
      continue;
    }
    for (const [, , target = ''] of readFileSync(file, 'utf8').matchAll(importPattern)) {
      if (target.startsWith('.')) {
        const other = relative(src, resolve(dirname(file), target)).split('/')[0] ?? '';
        const own = other === room || (other === '..' && file.endsWith('.test.ts'));
        const fine = own || allowed.includes('*') || allowed.includes(other);
        if (!fine) found.push(`${file}: ${room} may not import ${other}`);
      } else if (target.startsWith('node:') && withoutNode.has(room) && !file.endsWith('.test.ts')) {
        found.push(`${file}: ${room} may not import ${target}`);
      }
    }
  }
  return found;
}

if (import.meta.main) {
  const src = join(import.meta.dirname, '..', 'src');
  const found = existsSync(src) ? violations(src) : [`${src}: not found`];
  for (const line of found) console.error(line);
  if (found.length > 0) process.exit(1);
  console.log(`layers: ${sourceFiles(src).length} files, ${Object.keys(rooms).length} rooms, no wrong import`);
}
