/** Command lines that are printed for a person to type: they work when they are pasted. */
import { accessSync, constants, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './version.ts';

/** How `guesthouse` or `xe` is called from here: by its name when that is found, else by its path. */
export function commandName(name: 'guesthouse' | 'xe', env: NodeJS.ProcessEnv = process.env, cwd = process.cwd()) {
  const own = join(root, 'bin', name);
  const first = (env['PATH'] ?? '')
    .split(':')
    .find((folder) => folder.startsWith('/') && isProgram(join(folder, name)));
  if (first !== undefined && realpathSync(join(first, name)) === realpathSync(own)) return name;
  return cwd === root ? `bin/${name}` : shellWord(own);
}

/** A word as a shell reads it, in quotes only where it must. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
