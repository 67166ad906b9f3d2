/** The thread that holds the SQLite store's file: a flush to the disk blocks this thread and no other. */
import { existsSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { type Lock, takeLock } from './lock.ts';
import { type Commit, createFile, type Schema, SqliteFile } from './sqlite-file.ts';
import { StoreError } from './store.ts';

export interface WorkerStart {
  readonly path: string;
  readonly schema: Schema;
}
/** Asked one after the other, answered in order. */
export type Request =
  | { readonly op: 'open' }
  | { readonly op: 'tables' }
  | { readonly op: 'close' }
  | { readonly op: 'commit'; readonly commits: readonly Commit[] }
  | { readonly op: 'page'; readonly table: string; readonly after: number; readonly limit: number };
export interface Answer {
  readonly result?: unknown;
  /** The message of a StoreError. */
  readonly refused?: string;
  /** Anything else that went wrong. */
  readonly failed?: string;
}

const start = workerData as WorkerStart;
let held: { lock: Lock; file: SqliteFile } | undefined;

function open(): { lock: Lock; file: SqliteFile } {
  const lock = takeLock(start.path);
  try {
    if (!existsSync(start.path)) createFile(start.path, start.schema);
    return { lock, file: SqliteFile.write(start.path, start.schema) };
  } catch (e) {
    lock.release();
    throw e;
  }
}
function handle(request: Request): unknown {
  if (request.op === 'open') {
    held ??= open();
    return held.file.revision();
  }
  if (request.op === 'close') {
    held?.file.close();
    held?.lock.release();
    held = undefined;
    return undefined;
  }
  if (!held) throw new StoreError(`${start.path} is not open`);
  if (request.op === 'commit') return held.file.apply(request.commits);
  if (request.op === 'tables') return held.file.tables();
  return held.file.page(request.table, request.after, request.limit);
}
function answer(request: Request): Answer {
  try {
    return { result: handle(request) };
  } catch (e) {
    if (e instanceof StoreError) return { refused: e.message };
    return { failed: e instanceof Error ? (e.stack ?? e.message) : String(e) };
  }
}
parentPort?.on('message', (request: Request) => {
  parentPort?.postMessage(answer(request));
});
