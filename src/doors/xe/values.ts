/** From what was typed to values of the API. */
import { nullRef, type Type } from '../../datamodel/dsl.ts';
import { truth, XeError } from './arguments.ts';
import { enumValue, type Reader } from './reader.ts';
import { byUuid } from './select.ts';

const units: Readonly<Record<string, number>> = { '': 0, ki: 1, k: 1, mi: 2, m: 2, gi: 3, g: 3, ti: 4, t: 4 };

/** A whole number; with `KiB`, `MiB`, `GiB`, `TiB` after it, times that many bytes. */
export function wholeNumber(name: string, text: string): number {
  const m = /^(-?\d+)\s*(|ki|k|mi|m|gi|g|ti|t)b?$/i.exec(text.trim());
  const value = m ? Number(m[1]) * 1024 ** (units[(m[2] ?? '').toLowerCase()] ?? 0) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  const wanted = m
    ? `it is too large: at most ${Number.MAX_SAFE_INTEGER}`
    : 'it must be a whole number, such as 4096 or 4GiB';
  throw new XeError(`${name} is ${JSON.stringify(text)}; ${wanted}`, [['parameter', name]]);
}

/** Text as a value of the type: uuids become references, comma separated lists become sets. */
export async function valueFrom(reader: Reader, type: Type<unknown>, name: string, text: string): Promise<unknown> {
  switch (type.kind) {
    case 'int':
      return wholeNumber(name, text);
    case 'float': {
      const value = Number(text);
      if (text.trim() !== '' && Number.isFinite(value)) return value;
      throw new XeError(`${name} is ${JSON.stringify(text)}; it must be a number`, [['parameter', name]]);
    }
    case 'bool':
      return truth(name, text);
    case 'ref':
      return text === '' || text === nullRef || text === '<not in database>'
        ? nullRef
        : byUuid(reader, type.cls ?? '', text);
    case 'enum': {
      const value = enumValue(type, text);
      if (value !== undefined) return value;
      throw new XeError(`${name} is ${JSON.stringify(text)}; it must be one of ${type.values?.join(', ')}`, [
        ['parameter', name],
      ]);
    }
    case 'set':
    case 'option': {
      const of = type.of as Type<unknown>;
      if (type.kind === 'option') return valueFrom(reader, of, name, text);
      const members = text === '' ? [] : text.split(',');
      return Promise.all(members.map((member) => valueFrom(reader, of, name, member)));
    }
    case 'map':
      return pairsFrom(reader, type, name, text);
    default:
      return text;
  }
}

/** A map written as `a=1,b=2`. */
async function pairsFrom(reader: Reader, type: Type<unknown>, name: string, text: string): Promise<unknown> {
  const entries = text === '' ? [] : text.split(',').map((pair) => [pair, pair.indexOf('=')] as const);
  for (const [pair, at] of entries)
    if (at < 1) throw new XeError(`${name}: ${JSON.stringify(pair)} is not key=value; or give ${name}:KEY=VALUE`);
  return mapFrom(reader, type, name, Object.fromEntries(entries.map(([p, at]) => [p.slice(0, at), p.slice(at + 1)])));
}

/** A map whose values are still text. */
export async function mapFrom(
  reader: Reader,
  type: Type<unknown>,
  name: string,
  given: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, unknown>>> {
  const out: Record<string, unknown> = {};
  for (const [k, v] of Object.entries(given)) {
    const key = await valueFrom(reader, type.key as Type<unknown>, `${name}:${k}`, k);
    out[String(key)] = await valueFrom(reader, type.of as Type<unknown>, `${name}:${k}`, v);
  }
  return out;
}

/** What an optional parameter means when it was not given and its message has no default: nothing. */
export function emptyValue(type: Type<unknown>): unknown {
  const empty = { string: '', int: 0, float: 0, bool: false, ref: nullRef, set: [], map: {}, datetime: '' };
  return (empty as Readonly<Record<string, unknown>>)[type.kind];
}
