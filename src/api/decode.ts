/** Parameters as they came over a wire, checked against their declared types: the only way into a handler. */
import { type Class, nullRef, type Type } from '../datamodel/dsl.ts';
import { type ApiError, fail } from '../datamodel/errors.ts';
import { classes } from '../datamodel/index.ts';
import { constructorFields } from '../datamodel/messages.ts';
import { put, type Wire } from '../wire/xmlrpc-decode.ts';

type Struct = { readonly [key: string]: Wire };

/** The value as the data model keeps it. FIELD_TYPE_ERROR for a wrong type, INVALID_VALUE for a wrong value; both name `path`. */
export function decodeAs(type: Type<unknown>, wire: Wire, path: string): unknown {
  switch (type.kind) {
    case 'string':
      return text(type, wire, path);
    case 'int':
      return int(type, wire, path);
    case 'float':
      return float(type, wire, path);
    case 'bool':
      return typeof wire === 'boolean' ? wire : wrong(type, 'a boolean', wire, path);
    case 'datetime':
      return datetime(type, wire, path);
    case 'void':
      return undefined;
    case 'enum':
      return oneOf(type, wire, path);
    case 'ref':
      return reference(type, wire, path);
    case 'set':
      return list(type, wire, path);
    case 'map':
      return map(type, wire, path);
    case 'option':
      return wire === null ? undefined : decodeAs(type.of as Type<unknown>, wire, path);
    case 'record':
      return struct(type, wire, path);
  }
}

function wrong(type: Type<unknown>, expected: string, wire: Wire, path: string): never {
  throw fail('FIELD_TYPE_ERROR', { field: `${path}: expected ${expected}, got ${shown(type, wire)}` });
}
function invalid(type: Type<unknown>, wire: Wire, path: string, why: string): ApiError {
  return fail('INVALID_VALUE', { field: path, value: `${shown(type, wire)}: ${why}` });
}
function shown(type: Type<unknown>, wire: Wire): string {
  if (type.secret) return 'a secret';
  const json = JSON.stringify(wire) ?? String(wire);
  return json.length > 80 ? `${json.slice(0, 80)}… (${json.length} characters)` : json;
}
function text(type: Type<unknown>, wire: Wire, path: string): string {
  if (typeof wire !== 'string') return wrong(type, 'a string', wire, path);
  if (!wire.isWellFormed()) throw invalid(type, wire, path, 'it is not UTF-8');
  if (wire.includes('\0')) throw invalid(type, wire, path, 'it contains the character NUL');
  return wire;
}
function int(type: Type<unknown>, wire: Wire, path: string): number {
  const digits = typeof wire === 'string' && /^\s*[+-]?\d{1,20}\s*$/.test(wire);
  if (typeof wire !== 'number' && !digits) return wrong(type, 'an integer', wire, path);
  const n = Number(wire);
  if (!Number.isInteger(n)) return wrong(type, 'an integer', wire, path);
  if (!Number.isSafeInteger(n)) throw invalid(type, wire, path, 'integers must be between -(2^53 - 1) and 2^53 - 1');
  return n;
}
function float(type: Type<unknown>, wire: Wire, path: string): number {
  const n = typeof wire === 'string' && wire.trim() !== '' ? Number(wire) : wire;
  if (typeof n !== 'number' || Number.isNaN(n)) return wrong(type, 'a number', wire, path);
  if (!Number.isFinite(n)) throw invalid(type, wire, path, 'the number must be finite');
  return n;
}

const moment = /^(\d{4})-?(\d\d)-?(\d\d)T(\d\d):?(\d\d)(?::?(\d\d)(?:[.,]\d+)?)?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?$/;
/** `YYYYMMDDTHH:MM:SSZ` from any of the forms that clients send; undefined when it is none. */
export function datetimeText(given: string): string | undefined {
  const m = moment.exec(given.trim());
  if (!m) return undefined;
  const [year, month, day, hour, minute, second] = m.slice(1, 7).map((p) => Number(p ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number, // biome keeps them apart
  ];
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return undefined;
  const offset = m[7] ? (m[7] === '-' ? -1 : 1) * (Number(m[8]) * 60 + Number(m[9] ?? 0)) : 0;
  const at = new Date(0);
  at.setUTCFullYear(year, month - 1, day);
  if (at.getUTCDate() !== day) return undefined;
  at.setUTCHours(hour, minute - offset, second);
  return timeText(at.getTime());
}
/** Milliseconds since the epoch as a datetime of the API. */
export const timeText = (ms: number): string => {
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 19)}Z`;
};
/** A datetime of the API as milliseconds since the epoch. */
export const timeOf = (text: string): number =>
  Date.parse(`${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6, 8)}${text.slice(8)}`);

function datetime(type: Type<unknown>, wire: Wire, path: string): string {
  if (typeof wire !== 'string') return wrong(type, 'a date and time', wire, path);
  const found = datetimeText(wire);
  if (!found) throw invalid(type, wire, path, 'write dates as 20260131T23:59:59Z');
  return found;
}
function oneOf(type: Type<unknown>, wire: Wire, path: string): string {
  if (typeof wire !== 'string') return wrong(type, `one of ${type.values?.join(', ')}`, wire, path);
  if (!type.values?.includes(wire)) throw invalid(type, wire, path, `it must be one of ${type.values?.join(', ')}`);
  return wire;
}
/** Whether the object exists is for those who look it up. */
function reference(type: Type<unknown>, wire: Wire, path: string): string {
  if (typeof wire !== 'string') return wrong(type, `a reference to a ${type.cls}`, wire, path);
  if (wire === '' || wire === 'NULL') return nullRef;
  return text(type, wire, path);
}
function list(type: Type<unknown>, wire: Wire, path: string): unknown[] {
  if (!Array.isArray(wire)) return wrong(type, 'an array', wire, path);
  const of = inherit(type, type.of);
  return wire.map((w: Wire, i) => decodeAs(of, w, `${path}[${i}]`));
}
function isStruct(wire: Wire): wire is Struct {
  return typeof wire === 'object' && wire !== null && !Array.isArray(wire);
}
function map(type: Type<unknown>, wire: Wire, path: string): Record<string, unknown> {
  if (!isStruct(wire)) return wrong(type, 'a struct', wire, path);
  const out: Record<string, unknown> = {};
  const of = inherit(type, type.of);
  for (const [k, v] of Object.entries(wire)) {
    const key = decodeAs(inherit(type, type.key), k, `${path}, key ${k.slice(0, 40)}`);
    put(out, String(key), decodeAs(of, v, `${path}.${k.slice(0, 40)}`));
  }
  return out;
}
function inherit(type: Type<unknown>, of: Type<unknown> | undefined): Type<unknown> {
  const element = of ?? { kind: 'string' as const };
  return type.secret ? { ...element, secret: true } : element;
}
/** Records of classes: the members that are given, each by its field's type. Names that the class lacks are refused. */
function struct(type: Type<unknown>, wire: Wire, path: string): Record<string, unknown> {
  if (!isStruct(wire)) return wrong(type, 'a struct', wire, path);
  const cls = classes[type.cls as string];
  const out: Record<string, unknown> = {};
  for (const [k, v] of Object.entries(wire)) {
    const field = cls && Object.hasOwn(cls.fields, k) ? cls.fields[k] : undefined;
    if (cls && (!field || field.internal))
      throw fail('INVALID_VALUE', { field: `${path}.${k.slice(0, 40)}`, value: `a ${cls.name} has no such field` });
    put(out, k, field ? decodeAs(field.type, v, `${path}.${k}`) : v);
  }
  return out;
}

/**
 * The struct that `create` takes. Members that only the server sets are dropped, so that a record that was read can be
 * given back; missing ones without a default are refused together, by name.
 */
export function decodeConstructor(cls: Class, wire: Wire, path: string): Record<string, unknown> {
  const given = struct({ kind: 'record', cls: cls.name }, wire, path);
  const out: Record<string, unknown> = {};
  const missing: string[] = [];
  for (const { name, required } of constructorFields(cls)) {
    if (given[name] !== undefined) out[name] = given[name];
    else if (required) missing.push(name);
  }
  if (missing.length > 0)
    throw fail('FIELD_TYPE_ERROR', {
      field: `${path}: missing ${missing.join(', ')}; a ${cls.name} is made with them`,
    });
  return out;
}
