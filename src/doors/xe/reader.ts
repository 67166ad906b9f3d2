/** Reading for one command: each class or object is fetched once, and references are shown as uuids. */
import type { Caller } from '../../client/client.ts';
import type { Class, Type } from '../../datamodel/dsl.ts';
import { nullRef } from '../../datamodel/dsl.ts';
import { toApiError } from '../../datamodel/errors.ts';
import { classes } from '../../datamodel/index.ts';
import { type Cell, notInDatabase } from './table.ts';

export type Rec = Readonly<Record<string, unknown>>;
type Later<T> = T | Promise<T>;

export function classOf(name: string): Class {
  const c = classes[name];
  if (!c) throw new TypeError(`no class ${name} in the data model`);
  return c;
}

/** The record of an object as the database holds it, not a copy of it. */
export type Peek = (cls: string, ref: string) => Rec | undefined;

export class Reader {
  readonly caller: Caller;
  readonly #peek?: Peek;
  readonly #whole = new Map<string, Promise<ReadonlyMap<string, Rec>>>();
  /** Classes that have been fetched whole and have come. */
  readonly #ready = new Map<string, ReadonlyMap<string, Rec>>();
  readonly #single = new Map<string, Promise<Rec | undefined>>();
  #bulk = false;

  /** `peek` spares the copies when whole classes are read; rows name no internal field, so none is shown. */
  constructor(caller: Caller, peek?: Peek) {
    this.caller = caller;
    this.#peek = peek;
  }
  /** From now on whole classes are fetched instead of single objects. */
  expectMany(): void {
    this.#bulk = true;
  }
  /** Forgets everything, after a change. */
  forget(): void {
    this.#whole.clear();
    this.#ready.clear();
    this.#single.clear();
  }
  /** Every object of a class by reference. */
  all(cls: string): Promise<ReadonlyMap<string, Rec>> {
    let whole = this.#whole.get(cls);
    if (!whole) {
      whole = this.#fetchAll(cls).then((map) => {
        this.#ready.set(cls, map);
        return map;
      });
      this.#whole.set(cls, whole);
    }
    return whole;
  }
  async #fetchAll(cls: string): Promise<ReadonlyMap<string, Rec>> {
    if (!this.#peek) {
      const records = await this.caller.call(`${cls}.get_all_records`);
      return new Map(Object.entries(records as Readonly<Record<string, Rec>>));
    }
    // the call is what checks session and role
    const refs = (await this.caller.call(`${cls}.get_all`)) as readonly string[];
    const found = new Map<string, Rec>();
    for (const ref of refs) {
      const rec = this.#peek(cls, ref);
      if (rec) found.set(ref, rec);
    }
    return found;
  }
  /** One object; `undefined` for the null reference and for one that is gone. */
  get(cls: string, ref: string): Later<Rec | undefined> {
    if (!ref || ref === nullRef) return undefined;
    const ready = this.#ready.get(cls);
    if (ready) return ready.get(ref);
    if (this.#bulk && classOf(cls).getAll) return this.all(cls).then((m) => m.get(ref));
    // One that is of another class is not there in this one.
    const key = `${cls} ${ref}`;
    let one = this.#single.get(key);
    if (!one) this.#single.set(key, (one = this.#fetch(cls, ref)));
    return one;
  }
  async #fetch(cls: string, ref: string): Promise<Rec | undefined> {
    try {
      return (await this.caller.call(`${cls}.get_record`, { self: ref })) as Rec;
    } catch (error) {
      // a reference to nothing is shown as such
      if (toApiError(error).code === 'HANDLE_INVALID') return undefined;
      throw error;
    }
  }
  /** The value at `metrics>memory_actual`, with its type; `undefined` when a reference on the way leads nowhere. */
  at(cls: string, rec: Rec, path: string): Later<{ type: Type<unknown>; value: unknown } | undefined> {
    const cut = path.indexOf('>');
    const name = cut < 0 ? path : path.slice(0, cut);
    const type = classOf(cls).fields[name]?.type;
    if (!type) throw new TypeError(`${cls} has no field ${name}`);
    if (cut < 0) return { type, value: rec[name] };
    const next = type.cls ?? '';
    const rest = path.slice(cut + 1);
    const found = this.get(next, String(rec[name]));
    if (found instanceof Promise) return found.then((r) => (r ? this.at(next, r, rest) : undefined));
    return found ? this.at(next, found, rest) : undefined;
  }
  /** How a value of the API is shown. */
  show(type: Type<unknown>, value: unknown): Later<Cell> {
    return refersTo(type) ? this.#showRefs(type, value) : showPlain(type, value);
  }
  async #showRefs(type: Type<unknown>, value: unknown): Promise<Cell> {
    const cls = refersTo(type) ?? '';
    const refs = new Map<string, string>();
    const uuid = async (ref: string) => {
      const rec = await this.get(cls, ref);
      refs.set(ref, rec ? String(rec.uuid ?? ref) : String(notInDatabase.shown));
    };
    for (const ref of refsIn(type, value)) await uuid(ref);
    return showPlain(type, value, refs);
  }
}

/** The class that references inside the type lead to. */
function refersTo(type: Type<unknown>): string | undefined {
  if (type.kind === 'ref') return type.cls;
  if (type.kind === 'set' || type.kind === 'option') return type.of && refersTo(type.of);
  if (type.kind === 'map') return (type.of && refersTo(type.of)) ?? (type.key && refersTo(type.key));
  return undefined;
}

function refsIn(type: Type<unknown>, value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (type.kind === 'ref') return [String(value)];
  if (type.kind === 'set') return (value as readonly unknown[]).flatMap((v) => refsIn(type.of as Type<unknown>, v));
  if (type.kind === 'map')
    return Object.entries(value as Rec).flatMap(([k, v]) => [
      ...refsIn(type.key as Type<unknown>, k),
      ...refsIn(type.of as Type<unknown>, v),
    ]);
  return [];
}

const noRefs: ReadonlyMap<string, string> = new Map();

function showPlain(type: Type<unknown>, value: unknown, refs = noRefs): Cell {
  if (value === undefined || value === null) return { shown: '', json: null };
  if (type.kind === 'set') {
    const cells = (value as readonly unknown[]).map((v) => showPlain(type.of as Type<unknown>, v, refs));
    return { shown: cells.map((c) => String(c.shown)), json: cells.map((c) => c.json) };
  }
  if (type.kind === 'map') {
    const key = (k: string) => scalarText(type.key as Type<unknown>, k, refs);
    const entries = Object.entries(value as Rec).map(
      ([k, v]) => [key(k), showPlain(type.of as Type<unknown>, v, refs)] as const,
    );
    return {
      shown: new Map(entries.map(([k, c]) => [k, String(c.shown)])),
      json: Object.fromEntries(entries.map(([k, c]) => [k, c.json])),
    };
  }
  const text = scalarText(type, value, refs);
  if (type.kind === 'ref') return { shown: text, json: text === notInDatabase.shown ? null : text };
  return { shown: text, json: ['bool', 'int', 'float'].includes(type.kind) ? value : text };
}

/** Enums whose values the command line writes in another way than the API. */
const enumTexts: Readonly<Record<string, (value: string) => string>> = {
  vm_power_state: (v) => v.toLowerCase(),
  on_normal_exit: capital,
  on_crash_behaviour: capital,
  on_softreboot_behavior: capital,
  console_protocol: (v) => v.toUpperCase(),
  vdi_type: (v) => vdiTypes[v] ?? capital(v),
};
const vdiTypes: Readonly<Record<string, string>> = {
  ha_statefile: 'HA statefile',
  redo_log: 'Redo log',
  rrd: 'rrd',
  pvs_cache: 'PVS cache',
  cbt_metadata: 'CBT metadata',
};
function capital(v: string): string {
  return v.charAt(0).toUpperCase() + v.slice(1);
}

function scalarText(type: Type<unknown>, value: unknown, refs: ReadonlyMap<string, string>): string {
  switch (type.kind) {
    case 'ref':
      return refs.get(String(value)) ?? String(notInDatabase.shown);
    case 'float':
      return Number(value).toFixed(3);
    case 'enum':
      return enumTexts[type.name ?? '']?.(String(value)) ?? String(value);
    case 'record':
      return JSON.stringify(value);
    default:
      return String(value);
  }
}

/** The value of the API for what the command line writes: `halted` is `Halted`. */
export function enumValue(type: Type<unknown>, text: string): string | undefined {
  const same = (a: string) => a.toLowerCase() === text.toLowerCase();
  return type.values?.find((v) => same(v) || same(scalarText(type, v, noRefs)));
}
