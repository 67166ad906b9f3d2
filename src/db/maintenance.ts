/**
 * Export, import and check of a host's store. An export is JSON lines in a stable order:
 *
 *     {"guesthouse":"db export","layout":1,"schema":"5.909","revision":17,"secrets":false}
 *     {"table":"VM","key":"OpaqueRef:…","row":{…}}
 *     {"table":"…","key":"…","text":"…"}            a value that is no JSON object
 *     {"end":true,"rows":2}
 */
import { existsSync, rmSync } from 'node:fs';
import type { Class } from '../datamodel/dsl.ts';
import { takeLock } from '../store/lock.ts';
import type { Schema } from '../store/sqlite-file.ts';
import { createFile, SqliteFile, syncAndRename } from '../store/sqlite-file.ts';
import type { Change } from '../store/store.ts';
import { StoreError } from '../store/store.ts';
import { type Finding, type FoundRow, inspect } from './inspect.ts';
import { epochSize } from './memory-db.ts';
import { withoutSecrets } from './secrets.ts';
import { shapesOf } from './shape.ts';

export interface StorePlace {
  /** The store's file. */
  readonly path: string;
  readonly schema: Schema;
  readonly classes: Readonly<Record<string, Class>>;
}
const byName = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const versionText = (s: Schema) => `${s.major}.${s.minor}`;
const asObject = (text: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    return undefined; // The answer: it is no object.
  }
  return undefined;
};

/**
 * Hands every line of an export to `write`, from one state of the store, even while it is in use. Without `secrets`
 * passwords and keys are left empty. What cannot be read is left out and answered as findings.
 */
export function exportStore(at: StorePlace, secrets: boolean, write: (line: string) => void): Finding[] {
  const findings: Finding[] = [];
  const file = SqliteFile.read(at.path, at.schema);
  const line = (value: unknown) => write(`${JSON.stringify(value)}\n`);
  try {
    file.snapshot(() => {
      const head = { layout: 1, schema: versionText(at.schema), revision: file.revision(), secrets };
      line({ guesthouse: 'db export', ...head });
      let rows = 0;
      for (const table of file.tables().sort(byName))
        for (const [key, text] of soundRows(file, at.path, table, findings)) {
          const row = asObject(text);
          line(row ? { table, key, row: secrets ? row : withoutSecrets(table, row) } : { table, key, text });
          rows++;
        }
      line({ end: true, rows });
    });
  } finally {
    file.close();
  }
  return findings;
}
/** The rows of a table by key; what is damaged goes to `findings`. */
function soundRows(file: SqliteFile, path: string, table: string, findings: Finding[]): (readonly [string, string])[] {
  const rows: [string, string][] = [];
  try {
    for (const { key, value, sound } of file.scan(table))
      if (sound) rows.push([key, value]);
      else findings.push({ severity: 'error', where: `${path}: ${table}/${key}`, what: 'the checksum is wrong' });
  } catch (e) {
    if (!(e instanceof StoreError)) throw e;
    const what = `cannot be read after ${rows.length} rows: ${String((e.cause as Error | undefined)?.message)}`;
    findings.push({ severity: 'error', where: `${path}: ${table}`, what });
  }
  return rows.sort((a, b) => byName(a[0], b[0]));
}

/** Everything that is wrong with a store, which may be in use. Throws StoreError when it cannot be opened at all. */
export function checkStore(at: StorePlace): { readonly rows: number; readonly findings: readonly Finding[] } {
  const file = SqliteFile.read(at.path, at.schema);
  try {
    return file.snapshot(() => {
      const findings: Finding[] = file
        .damage(100, true)
        .map((what) => ({ severity: 'error', where: at.path, what: `SQLite: ${what}` }));
      const shapes = shapesOf(at.classes);
      const found: FoundRow[] = [];
      let rows = 0;
      for (const table of file.tables().sort(byName))
        for (const [key, text] of soundRows(file, at.path, table, findings)) {
          rows++;
          const row = asObject(text);
          const where = `${at.path}: ${table}/${key}`;
          if (row) found.push({ where, table, key, row });
          else if (shapes.has(table)) findings.push({ severity: 'error', where, what: 'is no JSON object' });
        }
      findings.push(...inspect(shapes, found));
      return { rows, findings };
    });
  } finally {
    file.close();
  }
}

interface ReadExport {
  readonly revision: number;
  readonly secrets: boolean;
  readonly changes: readonly Change[];
  readonly findings: readonly Finding[];
}
/**
 * Makes a new store from an export. All of it is checked first; with any error nothing is made. Answers the findings;
 * throws StoreError when there is a store already. `name` is the export's file, for messages.
 */
export async function importStore(
  at: StorePlace,
  name: string,
  lines: AsyncIterable<string>,
): Promise<{ readonly rows: number; readonly secrets: boolean; readonly findings: readonly Finding[] }> {
  if (existsSync(at.path))
    throw new StoreError(`${at.path} is there already: import into another folder (--data), or move it away first`);
  const read = await readExport(at, name, lines);
  const answer = { rows: read.changes.length, secrets: read.secrets, findings: read.findings };
  if (read.findings.some((f) => f.severity === 'error')) return answer;
  const draft = `${at.path}.import`;
  for (const end of ['', '-wal', '-shm']) rmSync(`${draft}${end}`, { force: true });
  createFile(draft, at.schema);
  const lock = takeLock(at.path);
  try {
    const file = SqliteFile.write(draft, at.schema);
    try {
      file.apply([{ revision: leap(read.revision), changes: read.changes }]);
    } finally {
      file.close();
    }
    if (existsSync(at.path)) throw new StoreError(`${at.path} has appeared meanwhile: it is left as it is`);
    syncAndRename(draft, at.path);
  } finally {
    lock.release();
    rmSync(draft, { force: true });
  }
  return answer;
}

/**
 * Event tokens that were given out after the export was made must not fit the restored database: its revisions go on far
 * beyond those that the original can have reached.
 */
const leap = (revision: number) => (revision >= epochSize ? revision + 1000 * epochSize : revision);

async function readExport(at: StorePlace, name: string, lines: AsyncIterable<string>): Promise<ReadExport> {
  const findings: Finding[] = [];
  const changes: Change[] = [];
  const found: FoundRow[] = [];
  const keys = new Map<string, string>();
  let head: Record<string, unknown> | undefined;
  let end: Record<string, unknown> | undefined;
  let number = 0;
  for await (const text of lines) {
    const where = `${name}:${++number}`;
    const error = (what: string) => findings.push({ severity: 'error', where, what });
    const value = asObject(text);
    if (!value) error('is no JSON object');
    else if (number === 1) {
      head = value;
      const why = unfitHead(value, at.schema);
      if (why) error(why);
    } else if (end) error('comes after the end');
    else if (value.end === true) end = value;
    else {
      const row = rowOf(value);
      if (!row) error('is no row: expected table, key, and row or text');
      else {
        const twin = keys.get(`${row.table}/${row.key}`);
        if (twin) error(`${row.table}/${row.key} is there already: ${twin}`);
        keys.set(`${row.table}/${row.key}`, where);
        changes.push(row.table === partRevisions ? leapt(row) : row);
        if (value.row) found.push({ where, table: row.table, key: row.key, row: value.row as Record<string, unknown> });
        else if (Object.hasOwn(at.classes, row.table)) error(`a ${row.table} must have a row, not a text`);
      }
    }
    if (findings.length > 1000) break;
  }
  if (!end)
    findings.push({ severity: 'error', where: `${name}:${number}`, what: 'ends early: the last line is missing' });
  else if (end.rows !== changes.length)
    findings.push({
      ...{ severity: 'error', where: `${name}:${number}` },
      what: `has ${changes.length} rows; the export wrote ${String(end.rows)}`,
    });
  findings.push(...inspect(shapesOf(at.classes), found));
  return { revision: Number(head?.revision ?? 0), secrets: head?.secrets === true, changes, findings };
}
/** Where rooms that share a store keep their revisions. */
const partRevisions = 'part_revision';
const leapt = (c: Change): Change => {
  const revision = Number(c.value);
  return Number.isSafeInteger(revision) ? { ...c, value: String(leap(revision)) } : c;
};

function unfitHead(head: Record<string, unknown>, schema: Schema): string | undefined {
  if (head.guesthouse !== 'db export') return 'is no export of a Guesthouse database';
  if (head.layout !== 1) return `has layout ${String(head.layout)}; this version reads layout 1`;
  if (!Number.isSafeInteger(head.revision) || (head.revision as number) < 0)
    return `revision: expected an integer of 0 or more, got ${JSON.stringify(head.revision)}`;
  const [major = NaN, minor = NaN] = String(head.schema).split('.').map(Number);
  const newer = major > schema.major || (major === schema.major && minor > schema.minor);
  if (newer)
    return `was made by a newer version (schema ${String(head.schema)}; this one knows ${versionText(schema)})`;
  return Number.isInteger(major) && Number.isInteger(minor)
    ? undefined
    : `schema: ${String(head.schema)} is no version`;
}
function rowOf(value: Record<string, unknown>): { table: string; key: string; value: string } | undefined {
  const { table, key, row, text } = value;
  if (typeof table !== 'string' || !/^[A-Za-z0-9_.:-]{1,64}$/.test(table) || typeof key !== 'string') return undefined;
  if (typeof text === 'string') return { table, key, value: text };
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return undefined;
  return { table, key, value: JSON.stringify(row) };
}
