/**
 * The database as anyone would first write it: plain maps, everything computed by looking at everything. The property tests
 * hold the real one against it.
 */
import { nullRef } from '../../src/datamodel/dsl.ts';
import type { Shape } from '../../src/db/shape.ts';

export type NaiveRecord = Readonly<Record<string, unknown>>;
/** Class → reference → record, without computed fields. Never changed in place. */
export type State = Readonly<Record<string, Readonly<Record<string, NaiveRecord>>>>;
export type Op =
  | { readonly op: 'create'; readonly cls: string; readonly ref: string; readonly fields: NaiveRecord }
  | { readonly op: 'set'; readonly cls: string; readonly ref: string; readonly fields: NaiveRecord }
  | { readonly op: 'destroy'; readonly cls: string; readonly ref: string }
  | { readonly op: 'touch'; readonly cls: string; readonly ref: string };
export type Shapes = ReadonlyMap<string, Shape>;

export const emptyState = (shapes: Shapes): State => Object.fromEntries([...shapes.keys()].map((c) => [c, {}]));

/** The state after `o`; throws when it must be refused. */
export function step(shapes: Shapes, state: State, o: Op): State {
  const draft = structuredClone(state) as Record<string, Record<string, Record<string, unknown>>>;
  const table = draft[o.cls] ?? {};
  const shape = shapes.get(o.cls) as Shape;
  if (o.op === 'destroy') return table[o.ref] ? without(shapes, draft, shape, o.ref) : draft;
  if (o.op === 'touch') {
    if (!table[o.ref]) throw new Error('HANDLE_INVALID');
    return draft;
  }
  if (o.op === 'create') {
    if (table[o.ref]) throw new Error('exists');
    const start = [...shape.fields.values()].filter((f) => !f.from).map((f) => [f.name, f.default]);
    table[o.ref] = Object.fromEntries(start) as Record<string, unknown>;
  }
  const rec = table[o.ref];
  if (!rec) throw new Error('HANDLE_INVALID');
  for (const [name, value] of Object.entries(o.fields)) {
    const mirror = shape.fields.get(name)?.mirrors;
    if (!mirror) {
      rec[name] = structuredClone(value);
      continue;
    }
    const wanted = [...new Set(value as string[])].filter((r) => r !== nullRef);
    const others = draft[mirror.cls] ?? {};
    if (wanted.some((r) => !others[r])) throw new Error('HANDLE_INVALID');
    rec[name] = wanted;
    for (const [ref, other] of Object.entries(others)) {
      const rest = (other[mirror.field] as string[]).filter((r) => r !== o.ref);
      other[mirror.field] = wanted.includes(ref) ? [...rest, o.ref] : rest;
    }
  }
  const uuids = Object.values(table).map((r) => r.uuid);
  if (new Set(uuids).size < uuids.length) throw new Error('uuid');
  return draft;
}

function without(
  shapes: Shapes,
  draft: Record<string, Record<string, Record<string, unknown>>>,
  gone: Shape,
  ref: string,
): State {
  delete draft[gone.name]?.[ref];
  for (const shape of shapes.values())
    for (const rec of Object.values(draft[shape.name] ?? {}))
      for (const f of shape.fields.values()) {
        const end = shape.ends.get(f.name)?.some((e) => e.cls === gone.name);
        if (end && rec[f.name] === ref && !f.field.dangling) rec[f.name] = nullRef;
        if (f.mirrors?.cls === gone.name) rec[f.name] = (rec[f.name] as string[]).filter((r) => r !== ref);
      }
  return draft;
}

/** A record as a reader sees it, its sets of references sorted. */
export function visible(shapes: Shapes, state: State, cls: string, ref: string): NaiveRecord {
  const shape = shapes.get(cls) as Shape;
  const rec = state[cls]?.[ref] ?? {};
  const out: Record<string, unknown> = {};
  for (const f of shape.fields.values()) {
    const { from } = f;
    if (from) {
      const many = Object.entries(state[from.cls] ?? {}).filter(([, r]) => r[from.field] === ref);
      out[f.name] = many.map(([r]) => r).sort();
    } else out[f.name] = f.mirrors ? [...(rec[f.name] as string[])].sort() : rec[f.name];
  }
  return out;
}

/** The state that a restart leaves: without what is not persistent, without dangling references. */
export function restarted(shapes: Shapes, state: State): State {
  const alive = (cls: string | undefined, ref: unknown) =>
    ref === nullRef || (shapes.get(cls ?? '')?.persistent === true && state[cls ?? '']?.[ref as string] !== undefined);
  const kept = (shape: Shape, rec: NaiveRecord): NaiveRecord =>
    Object.fromEntries(
      [...shape.fields.values()]
        .filter((f) => !f.from)
        .map((f) => {
          const { type, dangling } = f.field;
          const value = rec[f.name];
          if (!f.stored) return [f.name, f.default];
          if (dangling) return [f.name, value];
          if (type.kind === 'ref') return [f.name, alive(type.cls, value) ? value : nullRef];
          if (type.kind === 'set' && type.of?.kind === 'ref')
            return [f.name, (value as string[]).filter((r) => alive(type.of?.cls, r))];
          return [f.name, value];
        }),
    );
  return Object.fromEntries(
    [...shapes.values()].map((shape) => {
      const rows = shape.persistent ? Object.entries(state[shape.name] ?? {}) : [];
      return [shape.name, Object.fromEntries(rows.map(([ref, rec]) => [ref, kept(shape, rec)]))];
    }),
  );
}
