/**
 * The store of one host: an SQLite file (write-ahead log, every commit flushed), held by a thread of its own. Commits that
 * arrive while one is being written go together into the next transaction.
 */
import { mkdirSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Log } from '../base/log.ts';
import type { Commit, Schema } from './sqlite-file.ts';
import type { Answer, Request, WorkerStart } from './sqlite-worker.ts';
import type { Change, Store } from './store.ts';
import { StoreError } from './store.ts';

export interface SqliteStoreOptions {
  /** The file; made with its folder when there is none. Beside it: `-wal`, `-shm`, `.lock`, `.pid`. */
  readonly path: string;
  readonly log: Log;
  /** The version of what is stored; a store with a higher one is refused. */
  readonly schema: Schema;
}
/** Opens or makes the store. StoreError when it is in use, damaged or from a newer version: it is left as it is. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const path = resolve(options.path);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new StoreError(`the folder of ${path} cannot be made: ${(cause as Error).message}`, { cause });
  }
  const thread = new Thread({ path, schema: options.schema });
  try {
    const revision = (await thread.ask({ op: 'open' })) as number;
    return new SqliteStore(thread, options.log.with({ store: path }), revision);
  } catch (e) {
    await thread.stop();
    throw e;
  }
}

/** Questions to the worker, answered in order. */
class Thread {
  readonly #worker: Worker;
  readonly #path: string;
  #asked: { resolve: (v: unknown) => void; reject: (e: Error) => void }[] = [];
  #ended: StoreError | undefined;

  constructor(start: WorkerStart) {
    this.#path = start.path;
    // Beside this file, or beside the bundle that it is part of: `.ts`, `.mjs`, or emitted `.js`.
    const file = `./sqlite-worker${extname(import.meta.url)}`;
    this.#worker = new Worker(new URL(file, import.meta.url), {
      workerData: start,
      execArgv: [],
      name: 'store',
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    });
    this.#worker.on('message', (a: Answer) => this.#answered(a));
    this.#worker.on('error', (e) => this.#end(`failed: ${e.message}`));
    this.#worker.on('exit', () => this.#end('has ended'));
  }
  ask(request: Request): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      this.#asked.push({ resolve, reject });
      this.#worker.postMessage(request);
    });
  }
  /** Answers when the thread is gone. */
  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
  #answered(a: Answer): void {
    const asked = this.#asked.shift();
    if (a.refused !== undefined) asked?.reject(new StoreError(a.refused));
    else if (a.failed !== undefined) asked?.reject(new Error(a.failed));
    else asked?.resolve(a.result);
  }
  #end(why: string): void {
    this.#ended ??= new StoreError(`the thread of the store ${this.#path} ${why}: restart Guesthouse`);
    for (const asked of this.#asked.splice(0)) asked.reject(this.#ended);
  }
}

interface Waiting extends Commit {
  readonly resolve: () => void;
  readonly reject: (e: unknown) => void;
}
/** Rows per question when loading: large enough to be fast, small enough that other work gets its turn. */
const pageSize = 256;

class SqliteStore implements Store {
  readonly #thread: Thread;
  readonly #log: Log;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  /** The newest revision that was taken, and that is durable. */
  #taken: number;
  #durable: number;
  #closed: Promise<void> | undefined;

  constructor(thread: Thread, log: Log, revision: number) {
    this.#thread = thread;
    this.#log = log;
    this.#taken = revision;
    this.#durable = revision;
  }
  async *load(table: string): AsyncIterable<readonly [key: string, value: string]> {
    const page = (after: number) => {
      const asked = this.#ask({ op: 'page', table, after, limit: pageSize });
      // Asked ahead of need: a failure is reported when its turn comes.
      asked.catch(() => undefined);
      return asked as Promise<(readonly [number, string, string])[]>;
    };
    let next = page(0);
    for (;;) {
      const rows = await next;
      const last = rows.at(-1);
      if (!last) return;
      if (rows.length === pageSize) next = page(last[0]);
      for (const [, key, value] of rows) yield [key, value];
      if (rows.length < pageSize) return;
    }
  }
  async tables(): Promise<readonly string[]> {
    return (await this.#ask({ op: 'tables' })) as string[];
  }
  async revision(): Promise<number> {
    if (this.#closed) throw closedError();
    return this.#durable;
  }
  commit(revision: number, changes: readonly Change[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw closedError();
      if (revision <= this.#taken) throw new StoreError(`revision ${revision} does not follow ${this.#taken}`);
      this.#taken = revision;
      this.#waiting.push({ revision, changes, resolve, reject });
      this.#writing ??= this.#write();
    });
  }
  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }
  async #finish(): Promise<void> {
    await this.#writing;
    await this.#thread.ask({ op: 'close' });
    await this.#thread.stop();
  }
  #ask(request: Request): Promise<unknown> {
    return this.#closed ? Promise.reject(closedError()) : this.#thread.ask(request);
  }
  async #write(): Promise<void> {
    // Commits of the same turn of the event loop share the first transaction too.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const commits = batch.map(({ revision, changes }) => ({ revision, changes }));
      try {
        await this.#thread.ask({ op: 'commit', commits });
      } catch (e) {
        this.#giveUp(batch, e);
        continue;
      }
      this.#durable = commits.at(-1)?.revision ?? this.#durable;
      for (const w of batch) w.resolve();
    }
    this.#writing = undefined;
  }
  /** What waits behind a commit that failed may build on it: it fails too. */
  #giveUp(batch: readonly Waiting[], error: unknown): void {
    this.#log.error('a commit failed', { error: String(error), commits: batch.length + this.#waiting.length });
    this.#taken = this.#durable;
    for (const w of [...batch, ...this.#waiting.splice(0)]) w.reject(error);
  }
}
const closedError = () => new StoreError('the store is closed');
