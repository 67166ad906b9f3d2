/**
 * The database: objects in memory, written through to a store. One revision per outermost write; the revision is the event
 * token. Each opening starts a new epoch of revisions, so that a token from before a restart is told from a current one:
 * objects that are not persistent vanish at a restart, and their deletion must not be missed.
 */
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Class, Ref } from '../datamodel/dsl.ts';
import { nullRef } from '../datamodel/dsl.ts';
import { fail } from '../datamodel/errors.ts';
import type { ClassName, Rec } from '../datamodel/index.ts';
import type { Change, Store } from '../store/store.ts';
import type { LoggedChange } from './change-log.ts';
import { ChangeLog } from './change-log.ts';
import type { Db, DbEvent, Row as DbRow, Patch, Writer } from './db.ts';
import { Journal } from './journal.ts';
import { load } from './load.ts';
import type { Row, Step, Table } from './objects.ts';
import { Objects } from './objects.ts';
import type { Fields, Shape } from './shape.ts';
import { shapesOf } from './shape.ts';
import { copyOf } from './value.ts';

/** Makes the wire text of a public record. Injected: the codecs live in a room of their own. */
export interface Encode {
  xml(cls: ClassName, record: Fields): Buffer;
  json(cls: ClassName, record: Fields): Buffer;
}
export interface DbOptions {
  readonly store: Store;
  readonly classes: Readonly<Record<string, Class>>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly encode: Encode;
  /** How many changes `changes(since)` can look back on at least. */
  readonly remember?: number;
}

/** Revisions of one opening start at a multiple of this. */
export const epochSize = 1_000_000_000;

/** Reads everything from the store. Closing the database closes the store. Throws StoreError when the store is damaged. */
export async function openDb(options: DbOptions): Promise<Db> {
  const { store, log, clock } = options;
  const started = clock.now();
  const objects = new Objects(shapesOf(options.classes));
  await load(objects, store, options.ids, log);
  const revision = (Math.floor((await store.revision()) / epochSize) + 1) * epochSize;
  const db = new MemoryDb(options, objects, revision);
  await db.begin();
  const rows = [...objects.tables()].reduce((sum, t) => sum + t.rows.size, 0);
  log.info('database open', { rows, revision, ms: clock.now() - started });
  return db;
}

class MemoryDb implements Db {
  readonly #objects: Objects;
  readonly #journal: Journal;
  readonly #changes: ChangeLog;
  readonly #store: Store;
  readonly #ids: Ids;
  readonly #encode: Encode;
  /** Frozen records without their internal fields. */
  readonly #opened = new WeakMap<Fields, Fields>();
  #revision: number;
  #depth = 0;
  #closed = false;

  constructor(options: DbOptions, objects: Objects, revision: number) {
    this.#objects = objects;
    this.#store = options.store;
    this.#ids = options.ids;
    this.#encode = options.encode;
    this.#revision = revision;
    this.#changes = new ChangeLog(options.remember ?? 50_000, revision);
    // The epoch itself is the first commit.
    this.#journal = new Journal(options.store, options.log, this.#changes, revision - 1);
  }
  /** Makes the epoch durable, and the repairs of loading with it. */
  async begin(): Promise<void> {
    const { changes } = this.#summary(this.#revision);
    this.#objects.forget();
    this.#journal.append(this.#revision, changes, [], true);
    await this.#journal.durable();
  }

  // ---- reading --------------------------------------------------------
  get<C extends ClassName>(cls: C, ref: string): Rec<C> {
    const table = this.#objects.table(cls);
    return this.#objects.record(table, this.#row(table, ref)) as Rec<C>;
  }
  find<C extends ClassName>(cls: C, ref: string): Rec<C> | undefined {
    const table = this.#objects.table(cls);
    const row = table.rows.get(ref);
    return row && (this.#objects.record(table, row) as Rec<C>);
  }
  has(cls: ClassName, ref: string): boolean {
    return this.#objects.table(cls).rows.has(ref);
  }
  byUuid<C extends ClassName>(cls: C, uuid: string): Ref<C> {
    const ref = this.findByUuid(cls, uuid);
    if (ref === undefined) throw fail('UUID_INVALID', { type: cls, uuid });
    return ref;
  }
  findByUuid<C extends ClassName>(cls: C, uuid: string): Ref<C> | undefined {
    return this.#objects.table(cls).uuids.get(uuid);
  }
  byName<C extends ClassName>(cls: C, label: string): Ref<C>[] {
    return this.#objects.table(cls).names.get(label);
  }
  *rows<C extends ClassName>(cls: C): IterableIterator<DbRow<C>> {
    const table = this.#objects.table(cls);
    for (const row of table.rows.values()) yield [row.ref, this.#objects.record(table, row) as Rec<C>];
  }
  refs<C extends ClassName>(cls: C): IterableIterator<Ref<C>> {
    return this.#objects.table(cls).rows.keys();
  }
  count(cls: ClassName): number {
    return this.#objects.table(cls).rows.size;
  }
  where<C extends ClassName>(cls: C, field: keyof Rec<C> & string, ref: string): Ref<C>[] {
    const table = this.#objects.table(cls);
    if (ref !== nullRef) {
      const index = table.ends.get(field);
      if (index) return index.get(ref);
    }
    const found: string[] = [];
    for (const row of table.rows.values()) if (row.rec[field] === ref) found.push(row.ref);
    return found;
  }

  // ---- writing --------------------------------------------------------
  create<C extends ClassName>(cls: C, fields: Patch<C>, ref = `OpaqueRef:${this.#ids.uuid()}`): Ref<C> {
    const table = this.#objects.table(cls);
    const given: Fields = fields;
    const named = table.shape.hasUuid && !given.uuid ? { ...given, uuid: this.#ids.uuid() } : given;
    this.write(() => this.#objects.create(table, ref, named));
    return ref;
  }
  set<C extends ClassName>(cls: C, ref: string, patch: Patch<C>): void {
    this.write(() => this.#objects.set(this.#objects.table(cls), ref, patch as Fields));
  }
  destroy(cls: ClassName, ref: string): void {
    this.write(() => this.#objects.destroy(this.#objects.table(cls), ref));
  }
  touch(cls: ClassName, ref: string): void {
    this.write(() => this.#objects.touch(this.#objects.table(cls), ref));
  }
  write<T>(f: (w: Writer) => T): T {
    if (this.#closed) throw fail('INTERNAL_ERROR', { message: 'the database is closed' });
    const mark = this.#objects.steps.length;
    this.#depth++;
    try {
      const result = f(this);
      if (isThenable(result)) throw new TypeError('write: f must not be asynchronous; its changes were taken back');
      if (this.#depth === 1) this.#commit();
      return result;
    } catch (error) {
      this.#objects.rollback(mark);
      throw error;
    } finally {
      this.#depth--;
    }
  }
  #commit(): void {
    const { steps } = this.#objects;
    if (steps.length === 0) return;
    const revision = this.#revision + 1;
    const { changes, events } = this.#summary(revision);
    this.#objects.forget();
    if (events.length === 0) return;
    this.#revision = revision;
    // Crossing into the next epoch must be known after a restart, whatever was written.
    this.#journal.append(revision, changes, events, revision % epochSize === 0);
  }
  /** What the steps since the last commit come to: one change of the store and one event per object. */
  #summary(revision: number): { changes: Change[]; events: LoggedChange[] } {
    const changes: Change[] = [];
    const events: LoggedChange[] = [];
    for (const [table, touched] of sumUp(this.#objects.steps)) {
      const cls = table.shape.name;
      for (const [ref, { existed, stored }] of touched) {
        const row = table.rows.get(ref);
        if (row && !existed) row.created = revision;
        if (row || existed) events.push({ cls, ref, op: !existed ? 'add' : row ? 'mod' : 'del', revision });
        if (stored && (row || existed))
          changes.push({ table: cls, key: ref, value: row ? storedText(table.shape, row.rec) : null });
      }
    }
    return { changes, events };
  }

  // ---- durability and events ------------------------------------------
  get revision(): number {
    return this.#revision;
  }
  get settled(): number {
    return this.#journal.settled;
  }
  durable(): Promise<void> {
    return this.#journal.durable();
  }
  changes(since: number, classes?: ReadonlySet<string>): readonly DbEvent[] | undefined {
    const settled = this.#journal.settled;
    if (since === 0) return this.#everything(settled, classes);
    if (!(since >= this.#changes.floor && since <= settled)) return undefined;
    const found = this.#changes.since(since, classes) as DbEvent[];
    // Memory may be ahead of what is durable: what is gone already is reported by its own deletion, soon.
    return found.filter((e) => e.op === 'del' || this.has(e.cls, e.ref));
  }
  #everything(settled: number, classes?: ReadonlySet<string>): DbEvent[] {
    const found: DbEvent[] = [];
    for (const { shape, rows } of this.#objects.tables()) {
      if (classes && !classes.has(shape.name)) continue;
      for (const row of rows.values())
        if (row.created <= settled)
          found.push({ cls: shape.name as ClassName, ref: row.ref, op: 'add', revision: settled });
    }
    return found;
  }
  watch(listener: (events: readonly DbEvent[], revision: number) => void): () => void {
    return this.#journal.watch((events, revision) => listener(events as readonly DbEvent[], revision));
  }
  xml(cls: ClassName, ref: string): Buffer {
    const { table, row } = this.#at(cls, ref);
    row.xml ??= this.#encode.xml(cls, this.#public(table, row));
    return row.xml;
  }
  json(cls: ClassName, ref: string): Buffer {
    const { table, row } = this.#at(cls, ref);
    row.json ??= this.#encode.json(cls, this.#public(table, row));
    return row.json;
  }
  open(cls: ClassName, ref: string): Fields {
    const { table, row } = this.#at(cls, ref);
    const rec = this.#objects.record(table, row);
    if (table.shape.internal.length === 0) return rec;
    let open = this.#opened.get(rec);
    if (!open) this.#opened.set(rec, (open = this.#public(table, row)));
    return open;
  }
  async close(): Promise<void> {
    this.#closed = true;
    try {
      await this.#journal.durable();
    } finally {
      await this.#store.close();
    }
  }

  #public(table: Table, row: Row): Fields {
    return publicRecord(table.shape, this.#objects.record(table, row));
  }
  #at(cls: ClassName, ref: string): { table: Table; row: Row } {
    const table = this.#objects.table(cls);
    return { table, row: this.#row(table, ref) };
  }
  #row(table: Table, ref: string): Row {
    const row = table.rows.get(ref);
    if (!row) throw fail('HANDLE_INVALID', { class: table.shape.name, handle: ref });
    return row;
  }
}

interface Touched {
  readonly existed: boolean;
  stored: boolean;
}
/** Per class and object: whether it was there before the steps, and whether anything that is stored changed. */
function sumUp(steps: readonly Step[]): Map<Table, Map<string, Touched>> {
  const tables = new Map<Table, Map<string, Touched>>();
  for (const { table, row, before, stored } of steps) {
    let rows = tables.get(table);
    if (!rows) tables.set(table, (rows = new Map<string, Touched>()));
    const touched = rows.get(row.ref);
    if (!touched) rows.set(row.ref, { existed: before !== undefined, stored });
    else touched.stored ||= stored;
  }
  return tables;
}
/** The text of a row in the store. */
export function storedText(shape: Shape, rec: Fields): string {
  if (shape.unstored.length === 0) return JSON.stringify(rec);
  const stored = copyOf(rec);
  for (const name of shape.unstored) stored[name] = undefined;
  return JSON.stringify(stored);
}
function publicRecord(shape: Shape, rec: Fields): Fields {
  if (shape.internal.length === 0) return rec;
  const open = copyOf(rec);
  for (const name of shape.internal) delete open[name];
  return Object.freeze(open);
}
const isThenable = (v: unknown): boolean =>
  typeof v === 'object' && v !== null && typeof (v as { then?: unknown }).then === 'function';
