/**
 * A lock on a folder for as long as a process lives. The kernel frees it when the process ends, however it ends, and
 * two who try at once cannot both get it. (Node cannot lock files; SQLite can.)
 */
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** The answer frees it; undefined when another process has it. */
export function lockFile(path: string): (() => void) | undefined {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Private, so that nobody else can hold it. Never opened again: closing it would free a lock of this process.
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
  const file = new DatabaseSync(path, { timeout: 0 });
  try {
    // No journal file: there is never anything in this database, only its lock is used.
    file.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    if (/locked|busy/i.test(String(error))) return undefined;
    throw error;
  }
  // Also keeps it from being collected as garbage, which would free it.
  const free = () => {
    process.off('exit', free);
    file.close();
  };
  process.once('exit', free);
  return free;
}
