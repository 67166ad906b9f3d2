/** Digests of what a layer is made from: the same inputs give the same name, so a layer is made once. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Sixteen hexadecimal digits over texts or bytes, each with its length. */
export function digestOf(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest('hex').slice(0, 16);
}

/** Path, kind, executable bit and content of files and folders below `root`; a path that is not there counts as empty. */
export function digestTree(root: string, paths: readonly string[], skip: (path: string) => boolean): string {
  const parts: (string | Uint8Array)[] = [];
  const visit = (path: string): void => {
    if (skip(path)) return;
    const full = join(root, path);
    const found = lstatSync(full, { throwIfNoEntry: false });
    if (!found) return;
    if (found.isDirectory()) for (const name of readdirSync(full).sort()) visit(join(path, name));
    else if (found.isSymbolicLink()) parts.push(path, 'link', readlinkSync(full));
    else parts.push(path, (found.mode & 0o100) === 0 ? 'file' : 'program', readFileSync(full));
  };
  for (const path of paths) visit(path);
  return digestOf(parts);
}
