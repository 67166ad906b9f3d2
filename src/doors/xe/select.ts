/** Finding objects: by uuid, by name, and by filters on any field. */
import { nullRef } from '../../datamodel/dsl.ts';
import { fail, toApiError } from '../../datamodel/errors.ts';
import { nearest, type Params, type Request, XeError } from './arguments.ts';
import { cellOf, type Item } from './cells.ts';
import type { Reader } from './reader.ts';
import { type RecordKind, type Row, rowNamed } from './record.ts';
import { host } from './records/host.ts';
import { sr } from './records/storage.ts';
import { vm } from './records/vm.ts';
import { textOf } from './table.ts';

/** The reference of a uuid. Rejects with `UUID_INVALID`. */
export async function byUuid(reader: Reader, cls: string, uuid: string): Promise<string> {
  return String(await reader.caller.call(`${cls}.get_by_uuid`, { uuid: uuid.trim() }));
}

/** An object with its record. */
export async function itemByUuid(reader: Reader, cls: string, uuid: string): Promise<Item> {
  const ref = await byUuid(reader, cls, uuid);
  const rec = await reader.get(cls, ref);
  if (!rec) throw fail('UUID_INVALID', { type: cls, uuid });
  return { ref, rec };
}

/** Every object whose uuid or name is `text`. */
export async function byUuidOrName(reader: Reader, cls: string, text: string): Promise<string[]> {
  try {
    return [await byUuid(reader, cls, text)];
  } catch (error) {
    if (toApiError(error).code !== 'UUID_INVALID') throw error;
  }
  return [...((await reader.caller.call(`${cls}.get_by_name_label`, { label: text })) as readonly string[])];
}

/** The one object whose uuid or name is `text`. */
export async function oneByUuidOrName(reader: Reader, cls: string, text: string): Promise<string> {
  const refs = await byUuidOrName(reader, cls, text);
  if (refs[0] !== undefined && refs.length === 1) return refs[0];
  throw new XeError(
    refs.length === 0
      ? `There is no ${cls} with the uuid or name ${JSON.stringify(text)}`
      : `${refs.length} objects of ${cls} have the name ${JSON.stringify(text)}; use the uuid`,
  );
}

/** The only pool. */
export async function thePool(reader: Reader): Promise<Item> {
  for (const [ref, rec] of await reader.all('pool')) return { ref, rec };
  throw new XeError('The host has no pool record');
}
/** The host that runs the pool; on a single host, this one. */
export const theHost = async (reader: Reader): Promise<string> => String((await thePool(reader)).rec.master);

interface Filter {
  readonly row: Row;
  readonly test: (shown: string | readonly string[] | ReadonlyMap<string, string>) => boolean;
}

/** `power-state=halted`, `other-config:folder=x`, `tags:contains=y`. Throws for a name that is no field. */
function filterOf(kind: RecordKind, name: string, wanted: string): Filter {
  const exact = rowNamed(kind, name);
  const cut = name.indexOf(':');
  const row = exact ?? (cut > 0 ? rowNamed(kind, name.slice(0, cut)) : undefined);
  if (!row) throw unknownField(kind, name);
  const fold = (s: string) => (row.ignoreCase ? s.toLowerCase() : s);
  if (exact) return { row, test: (shown) => fold(textOf(shown)) === fold(wanted) };
  const key = name.slice(cut + 1);
  if (row.kind === 'set' && key === 'contains')
    return { row, test: (shown) => typeof shown !== 'string' && [...shown.values()].includes(wanted) };
  return { row, test: (shown) => shown instanceof Map && shown.get(key) === wanted };
}

export function unknownField(kind: RecordKind, name: string): XeError {
  const names = kind.rows.filter((r) => !r.hidden).map((r) => r.name);
  const near = nearest(name, names);
  // More than a few tell a person less than the way to see them.
  const all =
    names.length > 20
      ? `a list with params=all shows its ${names.length} fields`
      : `the fields are ${names.join(', ')}`;
  const hint = near.length > 0 ? `did you mean ${near.join(', ')}?` : all;
  return new XeError(`There is no field ${JSON.stringify(name)} here; ${hint}`, [['parameter', name]]);
}

/** The items that pass every filter, in their order. */
export async function filtered(
  reader: Reader,
  kind: RecordKind,
  items: readonly Item[],
  wanted: Iterable<readonly [string, string]>,
): Promise<Item[]> {
  let left = [...items];
  for (const [name, value] of wanted) {
    const { row, test } = filterOf(kind, name, value);
    const kept: Item[] = [];
    for (const item of left) {
      const cell = cellOf(reader, kind, row, item);
      if (test((cell instanceof Promise ? await cell : cell).shown)) kept.push(item);
    }
    left = kept;
  }
  return left;
}

export const itemsOf = async (reader: Reader, cls: string): Promise<Item[]> =>
  [...(await reader.all(cls))].map(([ref, rec]) => ({ ref, rec }));

const selectable = {
  VM: { kind: vm, by: 'vm', what: 'VM' },
  host: { kind: host, by: 'host', what: 'host' },
  SR: { kind: sr, by: 'sr', what: 'storage repository' },
} as const;
export type Selectable = keyof typeof selectable;

/**
 * The objects that a command is to work on. `own` are the command's own parameters; all others must be selectors. More than
 * one needs `--multiple`.
 */
export async function select(
  reader: Reader,
  cls: Selectable,
  request: Request,
  own: readonly string[],
): Promise<Item[]> {
  const { kind, by, what } = selectable[cls];
  const named = request.params.get(by);
  const filters = selectors(request.params, own).filter(([k]) => k !== by);
  const uuid = filters.find(([k]) => k === 'uuid')?.[1];
  let items: Item[];
  if (uuid !== undefined) items = [await itemByUuid(reader, cls, uuid)];
  else {
    items = (await itemsOf(reader, cls)).filter((item) => cls !== 'VM' || isOrdinaryVm(item));
    if (named !== undefined) items = items.filter((item) => answersTo(cls, item, named));
  }
  items = await filtered(reader, kind, items, filters);
  if (items.length === 0) throw new XeError(`No matching ${what} found`, named === undefined ? [] : [[by, named]]);
  if (items.length > 1 && !request.multiple) throw new XeError(severalText(items, what, by));
  return items;
}

/** Parameters that are none of the command's own: `device-config:x` belongs to `device-config:`. */
export const selectors = (params: Params, own: readonly string[]): (readonly [string, string])[] =>
  params.plain.filter(([k]) => !own.some((o) => k === o || (o.endsWith(':') && k.startsWith(o))));

const isOrdinaryVm = ({ rec }: Item) => rec.is_a_template !== true && rec.is_control_domain !== true;
const answersTo = (cls: Selectable, { rec }: Item, name: string) =>
  rec.uuid === name || rec.name_label === name || (cls === 'host' && rec.hostname === name);

function severalText(items: readonly Item[], what: string, by: string): string {
  const some = items.slice(0, 5).map((i) => `${i.rec.uuid} (${i.rec.name_label})`);
  const more = items.length > some.length ? ', …' : '';
  return `${items.length} objects match: ${some.join(', ')}${more}. Name one ${what} with ${by}=, or add --multiple for all`;
}

/** A parameter that names an object by uuid; the null reference when it was not given. */
export const optionalRef = async (reader: Reader, cls: string, uuid: string | undefined): Promise<string> =>
  uuid ? byUuid(reader, cls, uuid) : nullRef;
