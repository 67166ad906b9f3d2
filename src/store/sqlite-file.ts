/**
 * The file of the SQLite store, synchronously: its format, its checks, its transactions. One SQL table per table of the
 * store, rows in order of arrival, each with a checksum; `meta` holds the revision and the schema of what is stored.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { errcode } from './lock.ts';
import type { Change } from './store.ts';
import { StoreError } from './store.ts';

/** `GstH`: tells our files from other SQLite databases. */
const applicationId = 0x47737448;
/** The layout of the file: raised when `meta` or the tables change shape. */
const layout = 1;

/** The version of what is stored. A store that has a higher one is refused. */
export interface Schema {
  readonly major: number;
  readonly minor: number;
}
export interface Commit {
  readonly revision: number;
  readonly changes: readonly Change[];
}

/** A row as it is in the file; `sound` tells whether its checksum is right. */
export interface StoredRow {
  readonly id: number;
  readonly key: string;
  readonly value: string;
  readonly sound: boolean;
}

/** Makes a new, empty store. It appears complete or not at all. The folder is made too (mode 0700). */
export function createFile(path: string, schema: Schema): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (existsSync(path)) throw new StoreError(`${path} exists already`);
  for (const left of [`${path}-wal`, `${path}-journal`])
    if (existsSync(left))
      throw new StoreError(`${path} is missing but ${left} is there: put both back, or move it away`);
  const draft = `${path}.new`;
  for (const end of ['', '-wal', '-shm']) rmSync(`${draft}${end}`, { force: true });
  closeSync(openSync(draft, 'wx', 0o600));
  const db = new DatabaseSync(draft);
  try {
    db.exec(`PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${layout};
      CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;`);
    const put = db.prepare('INSERT INTO meta VALUES (?, ?)');
    put.run('revision', 0);
    put.run('schema_major', schema.major);
    put.run('schema_minor', schema.minor);
  } finally {
    db.close();
  }
  syncAndRename(draft, path);
}
/** Moves a closed store to its place, durably. */
export function syncAndRename(from: string, to: string): void {
  sync(from);
  renameSync(from, to);
  sync(dirname(to));
}
function sync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * An open store. `read` neither writes nor needs the lock; `write` verifies through a reading connection first, so that what
 * is refused stays byte for byte as it was.
 */
export class SqliteFile {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #puts = new Map<string, { put: StatementSync; del: StatementSync }>();
  readonly #setMeta: StatementSync;

  private constructor(path: string, db: DatabaseSync) {
    this.#path = path;
    this.#db = db;
    this.#setMeta = db.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)');
  }
  /** For looking only: the newest state, even while another process writes. */
  static read(path: string, schema: Schema): SqliteFile {
    mustBeFile(path);
    return opening(path, () => {
      const db = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
      return closingOnError(db, () => {
        verifyFormat(path, db, schema);
        return new SqliteFile(path, db);
      });
    });
  }
  /** For the one process that holds the lock. Raises the stored schema to `schema`. */
  static write(path: string, schema: Schema): SqliteFile {
    const looking = SqliteFile.read(path, schema);
    try {
      const damage = looking.damage(1);
      if (damage.length > 0) throw new StoreError(damaged(path, damage[0] ?? ''));
    } finally {
      looking.close();
    }
    if ((statSync(path).mode & 0o777) !== 0o600) chmodSync(path, 0o600);
    return opening(path, () => {
      const db = new DatabaseSync(path, { timeout: 5000 });
      return closingOnError(db, () => {
        db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 2000;');
        const file = new SqliteFile(path, db);
        file.#transaction(() => {
          file.#setMeta.run('schema_major', schema.major);
          file.#setMeta.run('schema_minor', schema.minor);
        });
        return file;
      });
    });
  }

  revision(): number {
    return metaOf(this.#db, 'revision');
  }
  tables(): string[] {
    const rows = this.#db.prepare(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 't\\_%' ESCAPE '\\'`,
    );
    return rows.all().map((r) => String(r.name).slice(2));
  }
  /** At most `limit` rows after the row number `after`: `[number, key, value]`. StoreError on one that is damaged. */
  page(table: string, after: number, limit: number): (readonly [number, string, string])[] {
    return this.#select(table, after, limit).map(({ id, key, value, sound }) => {
      if (!sound) throw new StoreError(damaged(this.#path, `the checksum of ${table}/${key} is wrong`));
      return [id, key, value] as const;
    });
  }
  /** Every row of a table, damaged ones too; StoreError where SQLite cannot read on. */
  *scan(table: string): Generator<StoredRow> {
    for (let after = 0; ; ) {
      const rows = this.#select(table, after, 256);
      yield* rows;
      const last = rows.at(-1);
      if (!last) return;
      after = last.id;
    }
  }
  /** Runs `f` on one state of the store, whatever is committed meanwhile. */
  snapshot<T>(f: () => T): T {
    return this.#guard(() => {
      this.#db.exec('BEGIN');
      try {
        return f();
      } finally {
        this.#db.exec('ROLLBACK');
      }
    });
  }
  /** All commits in one transaction, flushed to the disk. */
  apply(commits: readonly Commit[]): void {
    const last = commits.at(-1);
    if (!last) return;
    this.#guard(() =>
      this.#transaction(() => {
        for (const { changes } of commits) for (const c of changes) this.#applyOne(c);
        this.#setMeta.run('revision', last.revision);
      }),
    );
  }
  /** What SQLite finds wrong with the file, at most `limit` findings; empty when it is sound. */
  damage(limit: number, thorough = false): string[] {
    try {
      const check = thorough ? 'integrity_check' : 'quick_check';
      const found = this.#db.prepare(`PRAGMA ${check}(${limit})`).all();
      return found.map((r) => String(Object.values(r)[0])).filter((text) => text !== 'ok');
    } catch (e) {
      return [String((e as Error).message)];
    }
  }
  close(): void {
    this.#db.close();
  }

  #select(table: string, after: number, limit: number): StoredRow[] {
    if (!this.#has(table)) return [];
    return this.#guard(() => {
      const rows = this.#db
        .prepare(`SELECT id, key, value, sum FROM ${quoted(table)} WHERE id > ? ORDER BY id LIMIT ?`)
        .all(after, limit);
      return rows.map((r) => {
        const [key, value] = [String(r.key), String(r.value)];
        return { id: Number(r.id), key, value, sound: checksum(key, value) === r.sum };
      });
    });
  }
  #has(table: string): boolean {
    return this.#puts.has(table) || this.tables().includes(table);
  }
  #applyOne({ table, key, value }: Change): void {
    const { put, del } = this.#statements(table);
    if (value === null) del.run(key);
    else put.run(key, value, checksum(key, value));
  }
  #statements(table: string): { put: StatementSync; del: StatementSync } {
    const known = this.#puts.get(table);
    if (known) return known;
    const name = quoted(table);
    this.#db.exec(`CREATE TABLE IF NOT EXISTS ${name}
      (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value TEXT NOT NULL, sum INTEGER NOT NULL) STRICT`);
    const made = {
      put: this.#db.prepare(`INSERT INTO ${name} (key, value, sum) VALUES (?, ?, ?)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, sum = excluded.sum`),
      del: this.#db.prepare(`DELETE FROM ${name} WHERE key = ?`),
    };
    this.#puts.set(table, made);
    return made;
  }
  #transaction(f: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      f();
      this.#db.exec('COMMIT');
    } catch (e) {
      // Statements for tables that this transaction made are void now.
      this.#puts.clear();
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw e;
    }
  }
  #guard<T>(f: () => T): T {
    return opening(this.#path, f);
  }
}

const tableName = /^[A-Za-z0-9_.:-]{1,64}$/;
function quoted(table: string): string {
  if (!tableName.test(table)) throw new StoreError(`a table cannot be called ${JSON.stringify(table.slice(0, 80))}`);
  return `"t_${table}"`;
}
const checksum = (key: string, value: string): number => crc32(value, crc32(key));

function metaOf(db: DatabaseSync, name: string): number {
  return Number(db.prepare('SELECT value FROM meta WHERE name = ?').get(name)?.value ?? 0);
}
function mustBeFile(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isFile()) throw new StoreError(`${path}: ${found ? 'is no file' : 'there is no such file'}`);
  if (found.size === 0) throw new StoreError(damaged(path, 'the file is empty'));
}
function verifyFormat(path: string, db: DatabaseSync, schema: Schema): void {
  const pragma = (name: string) => Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
  if (pragma('application_id') !== applicationId)
    throw new StoreError(`${path} is an SQLite database of another program: name another path, or move it away`);
  const [major, minor] = [metaOf(db, 'schema_major'), metaOf(db, 'schema_minor')];
  const newer = major > schema.major || (major === schema.major && minor > schema.minor);
  if (pragma('user_version') <= layout && !newer) return;
  const found = newer ? `schema ${major}.${minor}` : `layout ${pragma('user_version')}`;
  const known = newer ? `${schema.major}.${schema.minor}` : `${layout}`;
  throw new StoreError(
    `${path} was written by a newer version of Guesthouse (${found}; this one knows ${known}) and is left as it is: ` +
      'start the newer version again, or restore a backup from before the upgrade, or take over what fits: ' +
      '`guesthouse db export` with the newer version, `guesthouse db import` with this one',
  );
}
const damaged = (path: string, what: string): string =>
  `${path} is damaged (${what}) and is left as it is: restore a backup, or move it away to start anew; ` +
  '`guesthouse db check` lists all damage, `guesthouse db export` saves what can still be read';

function closingOnError<T>(db: DatabaseSync, f: () => T): T {
  try {
    return f();
  } catch (e) {
    db.close();
    throw e;
  }
}
/** SQLite's errors as a StoreError that says what to do. */
function opening<T>(path: string, f: () => T): T {
  try {
    return f();
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    throw new StoreError(explained(path, cause), { cause });
  }
}
function explained(path: string, e: unknown): string {
  const what = e instanceof Error ? e.message : String(e);
  switch (errcode(e)) {
    case 5:
    case 6:
      return `${path} is being written by another program: stop that first`;
    case 8:
    case 23:
      return `${path} cannot be written (${what}): check the rights of the file and its folder`;
    case 11:
    case 26:
      return damaged(path, what);
    case 13:
      return `the disk of ${path} is full: free some space; what was answered before is safe`;
    case 14:
      return `${path} cannot be opened (${what}): check that you may read it`;
    default:
      return `${path}: ${what}`;
  }
}
