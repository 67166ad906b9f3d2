/** What is wrong with rows of a store, said of each: used before an import, and by the check. */
import { nullRef } from '../datamodel/dsl.ts';
import { pointsAt, withoutDangling } from './load.ts';
import type { Shape } from './shape.ts';
import { fits } from './shape.ts';
import { same } from './value.ts';

/** `error`: must not be. `note`: is put right, or left out, when the database is next opened. */
export interface Finding {
  readonly severity: 'error' | 'note';
  readonly where: string;
  readonly what: string;
}
/** A row and where it was found: `state.db: VM/OpaqueRef:…`, `backup.jsonl:12`. */
export interface FoundRow {
  readonly where: string;
  readonly table: string;
  readonly key: string;
  readonly row: Readonly<Record<string, unknown>>;
}

/** Everything that is wrong with these rows: types, unknown fields, uniqueness, references. Rows of no class are passed over. */
export function inspect(shapes: ReadonlyMap<string, Shape>, rows: readonly FoundRow[]): Finding[] {
  const findings: Finding[] = [];
  const known = rows.flatMap((r) => {
    const shape = shapes.get(r.table);
    return shape ? [{ ...r, shape }] : [];
  });
  const keys = new Map<string, Map<string, FoundRow>>();
  for (const r of known) {
    const ofTable = keys.get(r.table) ?? new Map<string, FoundRow>();
    keys.set(r.table, ofTable);
    const first = ofTable.get(r.key);
    if (first) findings.push({ severity: 'error', where: r.where, what: `${r.key} is there already: ${first.where}` });
    else ofTable.set(r.key, r);
  }
  const alive = (cls: string, ref: string) => keys.get(cls)?.has(ref) ?? false;
  const uuids = new Map<string, string>();
  for (const r of known) {
    findings.push(...ofTypes(r, r.shape), ...ofUuid(r, r.shape, uuids), ...ofReferences(r, r.shape, shapes, alive));
    findings.push(...ofMirrors(r, r.shape, keys));
  }
  return findings;
}

function ofTypes(r: FoundRow, shape: Shape): Finding[] {
  const findings: Finding[] = [];
  for (const f of shape.stored) {
    const value = r.row[f.name];
    if (!Object.hasOwn(r.row, f.name))
      findings.push({ severity: 'note', where: r.where, what: `${r.table}.${f.name} is missing: it gets its default` });
    else if (!fits(f.field.type, value))
      findings.push({
        ...{ severity: 'error', where: r.where },
        what: `${r.table}.${f.name}: ${excerpt(value)} is no ${f.field.type.kind}`,
      });
  }
  for (const name of Object.keys(r.row))
    if (!shape.fields.get(name)?.stored)
      findings.push({ severity: 'note', where: r.where, what: `${r.table}.${name} is not stored: it is left out` });
  return findings;
}
function ofUuid(r: FoundRow, shape: Shape, seen: Map<string, string>): Finding[] {
  const { uuid } = r.row;
  if (!shape.hasUuid || typeof uuid !== 'string') return [];
  if (uuid === '') return [{ severity: 'error', where: r.where, what: `${r.table}.uuid is empty` }];
  const first = seen.get(`${r.table}/${uuid}`);
  seen.set(`${r.table}/${uuid}`, first ?? r.where);
  return first ? [{ severity: 'error', where: r.where, what: `the uuid ${uuid} is taken already: ${first}` }] : [];
}
function ofReferences(
  r: FoundRow,
  shape: Shape,
  shapes: ReadonlyMap<string, Shape>,
  alive: (cls: string, ref: string) => boolean,
): Finding[] {
  const findings: Finding[] = [];
  for (const f of shape.stored) {
    const { type, dangling } = f.field;
    const cls = pointsAt(type);
    const value = r.row[f.name];
    // What is not persistent is gone at every restart: nothing to report.
    if (dangling || cls === undefined || !shapes.get(cls)?.persistent || !fits(type, value)) continue;
    if (
      !same(
        withoutDangling(type, value, (ref) => alive(cls, ref)),
        value,
      )
    )
      findings.push({
        ...{ severity: 'note', where: r.where },
        what: `${r.table}.${f.name}: ${excerpt(value)} refers to a ${cls} that is not there: it is cleared`,
      });
  }
  return findings;
}
function ofMirrors(r: FoundRow, shape: Shape, keys: ReadonlyMap<string, ReadonlyMap<string, FoundRow>>): Finding[] {
  const findings: Finding[] = [];
  for (const { name, mirrors } of shape.mirrored) {
    const refs = r.row[name];
    if (!Array.isArray(refs)) continue;
    for (const ref of refs) {
      const back = ref === nullRef ? undefined : keys.get(mirrors.cls)?.get(ref as string)?.row[mirrors.field];
      if (Array.isArray(back) && !back.includes(r.key))
        findings.push({
          ...{ severity: 'note', where: r.where },
          what: `${r.table}.${name} has ${String(ref)}, which does not have it in ${mirrors.field}: it is added there`,
        });
    }
  }
  return findings;
}
function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
