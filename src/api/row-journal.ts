/**
 * Keeps rows of a class that the database forgets at a restart (tasks, alerts) in an append-only file: one line per change,
 * `{"ref":…,"record":…}`, record null when the row is gone. Written when a change is durable in the database. A line that a
 * kill cut short is the last one and is ignored. The file is rewritten at start and when it holds mostly old lines.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Log } from '../base/log.ts';
import type { ClassName } from '../datamodel/index.ts';
import type { Db, DbEvent } from '../db/db.ts';

type Fields = Readonly<Record<string, unknown>>;
export interface RowJournalParts {
  readonly db: Db;
  readonly log: Log;
  /** Absolute path. */
  readonly file: string;
  readonly cls: ClassName;
  /** A row is written again when this changes; undefined: the row is not kept. */
  version(record: Fields): string | undefined;
  /** The record to come back with after a restart; undefined: none. */
  revive(record: Fields): Fields | undefined;
}

export class RowJournal {
  readonly #parts: RowJournalParts;
  readonly #kept = new Map<string, string>();
  #fd = -1;
  #lines = 0;
  #unwatch: () => void = () => undefined;

  constructor(parts: RowJournalParts) {
    this.#parts = parts;
  }
  /** Brings back the rows of the file, then follows the database. */
  start(): void {
    const { db, cls, revive } = this.#parts;
    db.write((w) => {
      for (const [ref, record] of this.#read()) {
        const fields = db.has(cls, ref) ? undefined : revive(record);
        if (fields) w.create(cls, fields as never, ref);
      }
    });
    this.#rewrite();
    this.#unwatch = db.watch((events) => this.#follow(events));
  }
  stop(): void {
    this.#unwatch();
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
  #read(): Map<string, Fields> {
    const { file, log } = this.#parts;
    const rows = new Map<string, Fields>();
    if (!existsSync(file)) return rows;
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      if (line === '') continue;
      try {
        const { ref, record } = JSON.parse(line) as { ref: string; record: Fields | null };
        if (record) rows.set(ref, record);
        else rows.delete(ref);
      } catch (error) {
        log.warn('a line of a journal cannot be read and is left out', { file, error: String(error) });
      }
    }
    return rows;
  }
  #rewrite(): void {
    const { db, cls, file, version } = this.#parts;
    this.#kept.clear();
    let text = '';
    for (const [ref, record] of db.rows(cls)) {
      const v = version(record);
      if (v === undefined) continue;
      this.#kept.set(ref, v);
      text += line(ref, record);
    }
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, text, { mode: 0o600, flush: true });
    renameSync(`${file}.new`, file);
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = openSync(file, 'a', 0o600);
    this.#lines = this.#kept.size;
  }
  #follow(events: readonly DbEvent[]): void {
    let text = '';
    for (const e of events) if (e.cls === this.#parts.cls) text += this.#change(e.ref);
    if (text === '') return;
    writeSync(this.#fd, text);
    if (this.#lines > 1000 + 4 * this.#kept.size) this.#rewrite();
  }
  #change(ref: string): string {
    const { db, cls, version } = this.#parts;
    const record = db.find(cls, ref);
    const v = record && version(record);
    if (v === this.#kept.get(ref)) return '';
    this.#lines++;
    if (record && v !== undefined) {
      this.#kept.set(ref, v);
      return line(ref, record);
    }
    this.#kept.delete(ref);
    return line(ref, null);
  }
}
const line = (ref: string, record: Fields | null): string => `${JSON.stringify({ ref, record })}\n`;
