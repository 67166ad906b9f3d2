/** The generated commands: `X-list`, `X-param-list`, `X-param-get`, `X-param-set`, `-add`, `-remove`, `-clear`. */
import { messageNamed } from '../../client/client.ts';
import type { Type } from '../../datamodel/dsl.ts';
import { type Params, XeError } from './arguments.ts';
import { cellOf, type Item } from './cells.ts';
import { classOf, type Reader } from './reader.ts';
import { type Family, type RecordKind, type Row, rowNamed } from './record.ts';
import { families } from './records/index.ts';
import { filtered, itemByUuid, itemsOf, unknownField } from './select.ts';
import type { Cell } from './table.ts';
import { mapFrom, valueFrom } from './values.ts';
import type { Work } from './work.ts';

export const familyVerbs = [
  'list',
  'param-list',
  'param-get',
  'param-set',
  'param-add',
  'param-remove',
  'param-clear',
] as const;
export type FamilyVerb = (typeof familyVerbs)[number];

const canSet = (row: Row) =>
  row.settable === true || row.via?.key !== undefined || (row.kind === 'map' && (row.addable || row.whole) === true);
/** The verbs that a family has: there is nothing to add where no set or map takes members. Clearing is offered for all of them. */
export function verbsOf(family: Family): FamilyVerb[] {
  const { rows } = family.record;
  const has = (verb: FamilyVerb) =>
    verb === 'param-set'
      ? rows.some((r) => canSet(r))
      : verb === 'param-add' || verb === 'param-remove'
        ? rows.some((r) => r.addable)
        : verb !== 'param-clear' || rows.some((r) => canSet(r) || r.kind !== 'scalar');
  return familyVerbs.filter(has);
}

/** The family and verb of a command's name. */
export function familyCommand(name: string): { readonly family: Family; readonly verb: FamilyVerb } | undefined {
  for (const verb of familyVerbs) {
    if (!name.endsWith(`-${verb}`)) continue;
    const family = families.find((f) => name === `${f.prefix}-${verb}`);
    if (family && verbsOf(family).includes(verb)) return { family, verb };
  }
  return undefined;
}

export async function runFamily(work: Work, family: Family, verb: FamilyVerb): Promise<void> {
  const { reader, request } = work;
  const { params } = request;
  if (verb === 'list') return list(work, family);
  const item = await itemByUuid(reader, family.record.cls, params.need('uuid'));
  if (verb === 'param-list') return work.printRecords(family.record, [item], shownRows(family.record), true);
  if (verb === 'param-set') return paramSet(reader, family.record, item, params);
  const row = neededRow(family.record, params.need('param-name'));
  if (verb === 'param-get') return paramGet(work, family.record, row, item);
  if (verb === 'param-add') return paramAdd(reader, family.record, row, item, params);
  if (verb === 'param-remove') return paramRemove(reader, family.record, row, item, params);
  return paramClear(reader, family.record, row, item);
}

const shownRows = (kind: RecordKind) => kind.rows.filter((r) => !r.hidden);

function neededRow(kind: RecordKind, name: string): Row {
  const row = rowNamed(kind, name);
  if (!row) throw unknownField(kind, name);
  return row;
}

async function list(work: Work, family: Family): Promise<void> {
  const { reader, request } = work;
  const { record } = family;
  reader.expectMany();
  const wanted = request.params.without('params').plain;
  const all = await itemsOf(reader, record.cls);
  const items = await filtered(reader, record, all, [...Object.entries(family.filters), ...wanted]);
  const asked = request.params.get('params');
  await work.printRecords(record, items, columns(family, asked), false);
}

/** In the order of the record, whatever the order asked for. */
export function columns(family: Pick<Family, 'record' | 'columns'>, asked: string | undefined): readonly Row[] {
  const { record } = family;
  if (asked === 'all' || (asked === undefined && family.columns.length === 0)) return shownRows(record);
  const names = asked === undefined ? family.columns : asked.split(',').map((n) => n.trim());
  for (const name of names) neededRow(record, name);
  return record.rows.filter((r) => names.includes(r.name));
}

async function paramGet(work: Work, kind: RecordKind, row: Row, item: Item): Promise<void> {
  const cell = await cellOf(work.reader, kind, row, item);
  const key = work.request.params.get('param-key');
  if (key === undefined) return work.printCell(cell);
  if (!(cell.shown instanceof Map)) throw new XeError(`${row.name} is no map, so it has no keys`, [['param-key', key]]);
  const shown = cell.shown.get(key);
  if (shown === undefined) throw new XeError(`${row.name} has no key ${JSON.stringify(key)}`, [['param-key', key]]);
  const json = (cell.json as Readonly<Record<string, unknown>>)[key];
  work.printCell({ shown, json } satisfies Cell);
}

// ---- writing ------------------------------------------------------------

/** Calls a message by the order of its parameters: object first. */
async function write(reader: Reader, method: string, ...values: readonly unknown[]): Promise<void> {
  const names = Object.keys(messageNamed(method).params);
  await reader.caller.call(method, Object.fromEntries(values.map((v, i) => [names[i] ?? '', v])));
}
/** The type of the parameter at that place. */
const paramType = (method: string, index: number): Type<unknown> =>
  Object.values(messageNamed(method).params)[index] as Type<unknown>;

const setter = (kind: RecordKind, row: Row) => row.via?.set ?? `${kind.cls}.set_${row.path}`;
const fieldType = (kind: RecordKind, row: Row) => classOf(kind.cls).fields[row.path]?.type as Type<unknown>;
const readOnly = (row: Row, how: string) => new XeError(`${row.name} cannot be ${how}`, [['parameter', row.name]]);

async function paramSet(reader: Reader, kind: RecordKind, item: Item, params: Params): Promise<void> {
  const changes = params.without('uuid').plain;
  if (changes.length === 0) throw new XeError('Nothing to set: give NAME=VALUE or MAP:KEY=VALUE');
  const plans = changes.map(([name, value]) => {
    const cut = name.indexOf(':');
    const row = rowNamed(kind, name) ?? (cut > 0 ? rowNamed(kind, name.slice(0, cut)) : undefined);
    if (!row) throw unknownField(kind, name);
    const key = name === row.name ? undefined : name.slice(cut + 1);
    if (!canSet(row)) throw readOnly(row, 'set');
    if (key === undefined && row.settable !== true)
      throw new XeError(`${row.name} is a map: give ${row.name}:KEY=VALUE`, [['parameter', name]]);
    return { row, key, value };
  });
  for (const { row, key, value } of plans)
    if (key === undefined) await setWhole(reader, kind, row, item, value);
    else await setKey(reader, kind, row, item, key, value);
}

async function setWhole(reader: Reader, kind: RecordKind, row: Row, item: Item, text: string): Promise<void> {
  const method = setter(kind, row);
  await write(reader, method, item.ref, await valueFrom(reader, paramType(method, 1), row.name, text));
}

async function setKey(
  reader: Reader,
  kind: RecordKind,
  row: Row,
  item: Item,
  key: string,
  text: string,
): Promise<void> {
  if (row.via?.key) return write(reader, row.via.key, item.ref, key, text);
  const given = await mapFrom(reader, fieldType(kind, row), row.name, { [key]: text });
  if (row.whole) return write(reader, setter(kind, row), item.ref, { ...(item.rec[row.path] as object), ...given });
  for (const [k, v] of Object.entries(given)) {
    // adding a key that is there is refused by the API
    await write(reader, `${kind.cls}.remove_from_${row.path}`, item.ref, k);
    await write(reader, `${kind.cls}.add_to_${row.path}`, item.ref, k, v);
  }
}

async function paramAdd(reader: Reader, kind: RecordKind, row: Row, item: Item, params: Params): Promise<void> {
  if (!row.addable) throw readOnly(row, 'added to');
  if (row.kind === 'set') {
    const text = params.need('param-key');
    if (row.whole) return rewriteSet(reader, kind, row, item, (old) => [...old, text]);
    const method = row.via?.add ?? `${kind.cls}.add_${row.path}`;
    return write(reader, method, item.ref, await valueFrom(reader, paramType(method, 1), 'param-key', text));
  }
  const pairs = params.without('uuid', 'param-name').plain;
  if (pairs.length === 0) throw new XeError(`Nothing to add to ${row.name}: give KEY=VALUE`);
  const given = await mapFrom(reader, fieldType(kind, row), row.name, Object.fromEntries(pairs));
  if (row.whole) return write(reader, setter(kind, row), item.ref, { ...(item.rec[row.path] as object), ...given });
  for (const [k, v] of Object.entries(given)) await write(reader, `${kind.cls}.add_to_${row.path}`, item.ref, k, v);
}

async function paramRemove(reader: Reader, kind: RecordKind, row: Row, item: Item, params: Params): Promise<void> {
  if (!row.addable) throw readOnly(row, 'removed from');
  const text = params.need('param-key');
  if (row.kind === 'map') {
    const old = item.rec[row.path] as Readonly<Record<string, unknown>>;
    if (!(text in old)) throw new XeError(`${row.name} has no key ${JSON.stringify(text)}`, [['param-key', text]]);
    const { [text]: _, ...rest } = old;
    if (row.whole) return write(reader, setter(kind, row), item.ref, rest);
    return write(reader, `${kind.cls}.remove_from_${row.path}`, item.ref, text);
  }
  if (row.whole) return rewriteSet(reader, kind, row, item, (old) => old.filter((member) => member !== text));
  const method = row.via?.remove ?? `${kind.cls}.remove_${row.path}`;
  return write(reader, method, item.ref, await valueFrom(reader, paramType(method, 1), 'param-key', text));
}

/** Changes a set by its members as they are shown. */
async function rewriteSet(
  reader: Reader,
  kind: RecordKind,
  row: Row,
  item: Item,
  change: (old: readonly string[]) => readonly string[],
): Promise<void> {
  const { shown } = await cellOf(reader, kind, row, item);
  const members = typeof shown === 'string' ? [] : [...shown.values()];
  await setWhole(reader, kind, row, item, change(members).join(','));
}

async function paramClear(reader: Reader, kind: RecordKind, row: Row, item: Item): Promise<void> {
  if (!row.settable && !row.addable) throw readOnly(row, 'cleared');
  if (row.kind === 'scalar') return setWhole(reader, kind, row, item, '');
  const hasSetter = row.settable || row.whole || !row.via;
  if (hasSetter) return write(reader, setter(kind, row), item.ref, row.kind === 'set' ? [] : {});
  const { shown } = await cellOf(reader, kind, row, item);
  if (typeof shown === 'string') return;
  for (const member of shown.values()) {
    const method = row.via?.remove ?? `${kind.cls}.remove_${row.path}`;
    await write(reader, method, item.ref, await valueFrom(reader, paramType(method, 1), row.name, member));
  }
}
