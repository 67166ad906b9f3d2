/**
 * The objects in memory: rows of each class, their indexes, and both ends of every relation kept in step. Every change
 * is noted as a step, so that it can be taken back. Knows nothing of stores, revisions or events.
 *
 * One-to-many: the single reference (`VBD.VM`) is the truth, indexed; the set end (`VM.VBDs`) is made from the index when a
 * record is next read, so that adding the ten-thousandth interface to a network costs as much as adding the first.
 * Many-to-many: both ends are stored and written together.
 */
import { nullRef } from '../datamodel/dsl.ts';
import { fail } from '../datamodel/errors.ts';
import { Multimap } from './multimap.ts';
import type { End, FieldShape, Fields, Shape } from './shape.ts';
import { copyOf, frozenCopy, same } from './value.ts';

export class Row {
  readonly ref: string;
  /** Frozen. Its computed sets may be out of date while `stale`. */
  rec: Fields;
  stale: boolean;
  /** The revision that made it. */
  created = 0;
  xml: Buffer | undefined = undefined;
  json: Buffer | undefined = undefined;

  constructor(ref: string, rec: Fields, stale: boolean) {
    this.ref = ref;
    this.rec = rec;
    this.stale = stale;
  }
}

export class Table {
  readonly shape: Shape;
  readonly rows = new Map<string, Row>();
  readonly uuids = new Map<string, string>();
  readonly names = new Multimap();
  /** Field of a relation's single end → (referenced object → rows). Null references are left out. */
  readonly ends: ReadonlyMap<string, Multimap>;

  constructor(shape: Shape) {
    this.shape = shape;
    this.ends = new Map([...shape.ends.keys()].map((name) => [name, new Multimap()]));
  }
}

/** One change of one row: made (`before` undefined), changed, removed (`after` undefined) or touched (the same). */
export interface Step {
  readonly table: Table;
  readonly row: Row;
  readonly before: Fields | undefined;
  readonly after: Fields | undefined;
  /** Something that the store keeps was changed. */
  readonly stored: boolean;
}

export class Objects {
  readonly #tables: ReadonlyMap<string, Table>;
  /** Changes since `forget`, oldest first. */
  readonly steps: Step[] = [];

  constructor(shapes: ReadonlyMap<string, Shape>) {
    this.#tables = new Map([...shapes].map(([name, shape]) => [name, new Table(shape)]));
  }
  /** Every class, in the order of the model. */
  tables(): IterableIterator<Table> {
    return this.#tables.values();
  }
  table(cls: string): Table {
    const table = this.#tables.get(cls);
    if (!table) throw fail('INTERNAL_ERROR', { message: `there is no class ${cls}` });
    return table;
  }
  /** The record as it is now, computed sets included. */
  record(table: Table, row: Row): Fields {
    if (row.stale) this.#refresh(table, row);
    return row.rec;
  }

  create(table: Table, ref: string, given: Fields): void {
    const { shape } = table;
    if (ref === '' || ref === nullRef || table.rows.has(ref)) throw notUnique(shape.name, 'ref', ref);
    const rec = copyOf(shape.template);
    const links: [FieldShape, unknown][] = [];
    for (const [name, value] of Object.entries(given)) {
      if (value === undefined) continue;
      const f = fieldOf(shape, name);
      if (f.from && Array.isArray(value) && value.length === 0) continue;
      mustBeWritable(shape, f);
      if (f.mirrors) links.push([f, value]);
      else rec[name] = frozenCopy(value);
    }
    this.insert(table, ref, Object.freeze(rec));
    for (const [f, value] of links) this.#link(table, ref, f, value);
  }
  /** Adds a complete, frozen record whose many-to-many ends are right already. */
  insert(table: Table, ref: string, rec: Fields): void {
    this.#mustBeUnique(table, ref, rec);
    const row = new Row(ref, rec, table.shape.computed.length > 0);
    this.steps.push({ table, row, before: undefined, after: rec, stored: table.shape.persistent });
    this.#apply(table, row, undefined, rec);
  }

  set(table: Table, ref: string, patch: Fields): void {
    const { shape } = table;
    const row = table.rows.get(ref);
    if (!row) throw fail('HANDLE_INVALID', { class: shape.name, handle: ref });
    let next: Record<string, unknown> | undefined;
    let stored = false;
    const links: [FieldShape, unknown][] = [];
    for (const [name, value] of Object.entries(patch)) {
      if (value === undefined) continue;
      const f = fieldOf(shape, name);
      mustBeWritable(shape, f);
      if (f.mirrors) links.push([f, value]);
      else if (!same(row.rec[name], value)) {
        next ??= copyOf(row.rec);
        next[name] = frozenCopy(value);
        stored ||= f.stored;
      }
    }
    if (next) this.#change(table, row, Object.freeze(next), stored);
    for (const [f, value] of links) this.#link(table, ref, f, value);
  }

  destroy(table: Table, ref: string): void {
    const row = table.rows.get(ref);
    if (!row) return;
    for (const f of table.shape.computed) {
      const many = this.table(f.from.cls);
      if (many.shape.fields.get(f.from.field)?.field.dangling) continue;
      for (const member of many.ends.get(f.from.field)?.get(ref) ?? [])
        this.set(many, member, { [f.from.field]: nullRef });
    }
    for (const f of table.shape.mirrored)
      for (const other of row.rec[f.name] as readonly string[]) this.#without(f.mirrors, other, ref);
    const { rec } = row;
    this.steps.push({ table, row, before: rec, after: undefined, stored: table.shape.persistent });
    this.#apply(table, row, rec, undefined);
  }
  /** Reports the row as changed, though nothing in it did. */
  touch(table: Table, ref: string): void {
    const row = table.rows.get(ref);
    if (!row) throw fail('HANDLE_INVALID', { class: table.shape.name, handle: ref });
    this.steps.push({ table, row, before: row.rec, after: row.rec, stored: false });
  }

  /** Takes back every step after the first `mark`, newest first. */
  rollback(mark: number): void {
    while (this.steps.length > mark) {
      const step = this.steps.pop();
      if (step && step.before !== step.after) this.#apply(step.table, step.row, step.after, step.before);
    }
    // What was undone may have noted touches of its own.
    this.steps.length = mark;
  }
  forget(): void {
    this.steps.length = 0;
  }

  #change(table: Table, row: Row, next: Fields, stored: boolean): void {
    const before = row.rec;
    this.#mustBeUnique(table, row.ref, next);
    this.steps.push({ table, row, before, after: next, stored });
    this.#apply(table, row, before, next);
  }
  #mustBeUnique(table: Table, ref: string, rec: Fields): void {
    if (!table.shape.hasUuid || rec.uuid === '') return;
    const holder = table.uuids.get(rec.uuid as string);
    if (holder !== undefined && holder !== ref) throw notUnique(table.shape.name, 'uuid', rec.uuid as string);
  }
  /** Brings the row and all that is derived from it from one record to another. */
  #apply(table: Table, row: Row, before: Fields | undefined, after: Fields | undefined): void {
    const { shape, rows } = table;
    if (after === undefined) rows.delete(row.ref);
    else {
      row.rec = after;
      row.stale = shape.computed.length > 0;
      row.xml = undefined;
      row.json = undefined;
      if (before === undefined) rows.set(row.ref, row);
    }
    if (shape.hasUuid && before?.uuid !== after?.uuid) {
      if (before && before.uuid !== '') table.uuids.delete(before.uuid as string);
      if (after && after.uuid !== '') table.uuids.set(after.uuid as string, row.ref);
    }
    if (shape.hasName && before?.name_label !== after?.name_label) {
      if (before) table.names.delete(before.name_label as string, row.ref);
      if (after) table.names.add(after.name_label as string, row.ref);
    }
    for (const [name, targets] of shape.ends) {
      const was = before?.[name] as string | undefined;
      const is = after?.[name] as string | undefined;
      if (was === is) continue;
      const index = table.ends.get(name);
      if (was !== undefined && was !== nullRef) index?.delete(was, row.ref);
      if (is !== undefined && is !== nullRef) index?.add(is, row.ref);
      for (const target of targets) {
        this.#membersChanged(target, was);
        this.#membersChanged(target, is);
      }
    }
  }
  #membersChanged(target: End, ref: string | undefined): void {
    if (ref === undefined || ref === nullRef) return;
    const table = this.table(target.cls);
    const row = table.rows.get(ref);
    if (!row) return;
    row.stale = true;
    row.xml = undefined;
    row.json = undefined;
    this.steps.push({ table, row, before: row.rec, after: row.rec, stored: false });
  }
  #refresh(table: Table, row: Row): void {
    row.stale = false;
    let next: Record<string, unknown> | undefined;
    for (const { name, from } of table.shape.computed) {
      const members = this.table(from.cls).ends.get(from.field)?.get(row.ref) ?? [];
      if (same(row.rec[name], members)) continue;
      next ??= copyOf(row.rec);
      next[name] = frozenCopy(members);
    }
    if (next) row.rec = Object.freeze(next);
  }

  /** Writes one end of a many-to-many relation, and the other ends with it. */
  #link(table: Table, ref: string, f: FieldShape, value: unknown): void {
    const other = f.mirrors as End;
    const targets = this.table(other.cls);
    const wanted = [...new Set(value as readonly string[])].filter((r) => r !== nullRef);
    for (const r of wanted) if (!targets.rows.has(r)) throw fail('HANDLE_INVALID', { class: other.cls, handle: r });
    const row = table.rows.get(ref);
    const had = (row?.rec[f.name] ?? []) as readonly string[];
    if (!row || same(had, wanted)) return;
    this.#replace(table, row, f, frozenCopy(wanted));
    const keep = new Set(wanted);
    const held = new Set(had);
    for (const r of had) if (!keep.has(r)) this.#without(other, r, ref);
    for (const r of wanted) if (!held.has(r)) this.#with(other, r, ref);
  }
  #with(end: End, at: string, ref: string): void {
    const table = this.table(end.cls);
    const row = table.rows.get(at);
    const list = row?.rec[end.field] as readonly string[] | undefined;
    if (!row || !list || list.includes(ref)) return;
    this.#replace(table, row, fieldOf(table.shape, end.field), Object.freeze([...list, ref]));
  }
  #without(end: End, at: string, ref: string): void {
    const table = this.table(end.cls);
    const row = table.rows.get(at);
    const list = row?.rec[end.field] as readonly string[] | undefined;
    if (!row || !list?.includes(ref)) return;
    this.#replace(table, row, fieldOf(table.shape, end.field), frozenCopy(list.filter((r) => r !== ref)));
  }
  #replace(table: Table, row: Row, f: FieldShape, value: unknown): void {
    const next = copyOf(row.rec);
    next[f.name] = value;
    this.#change(table, row, Object.freeze(next), f.stored);
  }
}

function fieldOf(shape: Shape, name: string): FieldShape {
  const f = shape.fields.get(name);
  if (!f) throw fail('INTERNAL_ERROR', { message: `${shape.name} has no field ${name}` });
  return f;
}
function mustBeWritable(shape: Shape, f: FieldShape): void {
  if (!f.from) return;
  const message = `${shape.name}.${f.name} is computed from ${f.from.cls}.${f.from.field}: write that one`;
  throw fail('INTERNAL_ERROR', { message });
}
const notUnique = (table: string, field: string, value: string) =>
  fail('DB_UNIQUENESS_CONSTRAINT_VIOLATION', { table, field, value });
