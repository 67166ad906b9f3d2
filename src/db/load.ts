/**
 * From the store into memory: new fields get their defaults, fields that no longer exist are left out, references to what is
 * gone become null. What had to be repaired is written back with the first commit.
 */
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Type } from '../datamodel/dsl.ts';
import { nullRef } from '../datamodel/dsl.ts';
import type { Store } from '../store/store.ts';
import { StoreError } from '../store/store.ts';
import type { Objects, Table } from './objects.ts';
import type { FieldShape, Fields, Shape } from './shape.ts';
import { fits } from './shape.ts';
import { copyOf, freezeDeep, same } from './value.ts';

/** Fills empty `objects`. Afterwards its steps are the repairs. Throws StoreError when a row cannot be read. */
export async function load(objects: Objects, store: Store, ids: Ids, log: Log): Promise<void> {
  const notes = new Notes();
  const intern = new Map<string, string>();
  const twins: [Table, string, Fields][] = [];
  const there = new Set(await store.tables());
  for (const table of objects.tables()) {
    if (!table.shape.persistent || !there.delete(table.shape.name)) continue;
    for await (const [ref, text] of store.load(table.shape.name)) {
      const rec = recordFrom(table.shape, ref, text, intern, notes);
      if (rec.uuid !== '' && table.uuids.has(rec.uuid as string)) twins.push([table, ref, rec]);
      else objects.insert(table, ref, rec);
      objects.forget();
    }
  }
  // A class of another version, or another room's: not ours to touch.
  for (const name of there)
    log.debug('the store has a table of a class that is unknown: it is kept as it is', { name });
  for (const [table, ref, rec] of twins) {
    log.error('two objects have the same uuid: the second one gets a new uuid', { class: table.shape.name, ref });
    objects.insert(table, ref, Object.freeze({ ...rec, uuid: ids.uuid() }));
  }
  mend(objects, notes);
  notes.tell(log);
}

/** Counts what was found, so that ten thousand rows with the same trait make one line. */
class Notes {
  readonly #counts = new Map<string, number>();
  add(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }
  tell(log: Log): void {
    for (const [what, rows] of this.#counts) log.info(`database: ${what}`, { rows });
  }
}

/** A row's text as an object, or a StoreError that names it. */
export function parseRow(table: string, ref: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new StoreError(`the row ${table}/${ref} is damaged: ${adviceOnDamage}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new StoreError(`the row ${table}/${ref} is damaged (no object): ${adviceOnDamage}`);
  return value as Record<string, unknown>;
}
const adviceOnDamage =
  'run `guesthouse db check` to see all damage; restore a backup, or export, correct and import it';

function recordFrom(shape: Shape, ref: string, text: string, intern: Map<string, string>, notes: Notes): Fields {
  const given = parseRow(shape.name, ref, text);
  const rec = copyOf(shape.template);
  let used = 0;
  for (const f of shape.stored) {
    const value = given[f.name];
    if (value === undefined) {
      notes.add(`${shape.name}.${f.name} is new and gets its default`);
      continue;
    }
    used++;
    const { type } = f.field;
    if (value === f.default) continue;
    if (!fits(type, value)) notes.add(`${shape.name}.${f.name} does not fit its type any more and gets its default`);
    else if (type.kind === 'ref') rec[f.name] = shared(intern, value as string);
    else rec[f.name] = freezeDeep(value);
  }
  if (Object.keys(given).length > used)
    for (const name of Object.keys(given))
      if (!shape.fields.get(name)?.stored) notes.add(`${shape.name}.${name} is not stored any more and is left out`);
  return Object.freeze(rec);
}
/** One copy of a text that occurs often. */
function shared(intern: Map<string, string>, text: string): string {
  const known = intern.get(text);
  if (known !== undefined) return known;
  intern.set(text, text);
  return text;
}

function mend(objects: Objects, notes: Notes): void {
  for (const table of objects.tables()) {
    if (!table.shape.persistent) continue;
    const refFields = table.shape.stored.filter((f) => !f.field.dangling && pointsAt(f.field.type) !== undefined);
    for (const f of refFields) {
      const targets = tableOf(objects, pointsAt(f.field.type) as string);
      if (!targets) continue;
      for (const row of table.rows.values()) {
        const value = row.rec[f.name];
        const kept = withoutDangling(f.field.type, value, (ref) => targets.rows.has(ref));
        if (!same(kept, value)) {
          notes.add(`${table.shape.name}.${f.name} referred to a ${targets.shape.name} that is gone: cleared`);
          objects.set(table, row.ref, { [f.name]: kept });
        }
      }
      if (f.mirrors) mendMirror(objects, table, f, notes);
    }
  }
}

/** Adds what one end of a many-to-many relation says and the other end lacks. */
function mendMirror(objects: Objects, table: Table, f: FieldShape, notes: Notes): void {
  if (!f.mirrors) return;
  const other = objects.table(f.mirrors.cls);
  for (const row of table.rows.values())
    for (const ref of row.rec[f.name] as readonly string[]) {
      const back = other.rows.get(ref)?.rec[f.mirrors.field] as readonly string[] | undefined;
      if (!back || back.includes(row.ref)) continue;
      notes.add(`${other.shape.name}.${f.mirrors.field} lacked what ${table.shape.name}.${f.name} says: added`);
      objects.set(other, ref, { [f.mirrors.field]: [...back, row.ref] });
    }
}

function tableOf(objects: Objects, cls: string): Table | undefined {
  for (const table of objects.tables()) if (table.shape.name === cls) return table;
  return undefined;
}

/** The class that references in this type point at. */
export function pointsAt(type: Type<unknown>): string | undefined {
  if (type.kind === 'ref') return type.cls;
  if (type.kind === 'set') return type.of && pointsAt(type.of);
  if (type.kind === 'map') return (type.key && pointsAt(type.key)) ?? (type.of && pointsAt(type.of));
  return undefined;
}

/** The value with references for which `alive` is false set to null, or taken out of their set or map. */
export function withoutDangling(type: Type<unknown>, value: unknown, alive: (ref: string) => boolean): unknown {
  const fine = (ref: unknown) => ref === nullRef || alive(ref as string);
  if (type.kind === 'ref') return fine(value) ? value : nullRef;
  if (type.kind === 'set') return (value as readonly unknown[]).filter(fine);
  const byKey = type.key?.kind === 'ref';
  return Object.fromEntries(Object.entries(value as object).filter(([k, v]) => fine(byKey ? k : v)));
}
