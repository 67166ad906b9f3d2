/**
 * One process per store. The lock is an SQLite lock on a file of its own, so the kernel frees it however its holder ends, and
 * the store itself stays readable to `guesthouse db export`. The pid beside it only serves the message.
 */
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from './store.ts';

export interface Lock {
  release(): void;
}

/** Locks the store at `path`; StoreError when another holder has it. The file `path`.lock is never read otherwise: that would free it. */
export function takeLock(path: string): Lock {
  const file = `${path}.lock`;
  const pidFile = `${path}.pid`;
  if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600));
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    db.close();
    if (errcode(cause) !== sqliteBusy) throw new StoreError(`${file} cannot be locked: ${String(cause)}`, { cause });
    throw new StoreError(`${path} is in use${holder(pidFile)}: stop that first (guesthouse down)`, { cause });
  }
  rmSync(pidFile, { force: true });
  writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  return {
    release() {
      rmSync(pidFile, { force: true });
      db.close();
    },
  };
}

const sqliteBusy = 5;
/** SQLite's primary result code of an error; 0 when it has none. */
export function errcode(e: unknown): number {
  const code = (e as { errcode?: unknown } | undefined)?.errcode;
  return typeof code === 'number' ? code & 0xff : 0;
}

function holder(pidFile: string): string {
  try {
    return ` by process ${readFileSync(pidFile, 'utf8').trim()}`;
  } catch {
    // The holder has just taken the lock, or runs where its pid file cannot be read: the message does without.
    return ' by another process';
  }
}
