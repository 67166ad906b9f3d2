/** JSON-RPC 1.0 and 2.0 as XenAPI speaks them. Values are plain JSON; only calls and answers have forms of their own. */
import type { Type } from '../datamodel/dsl.ts';
import { type ClassName, classes } from '../datamodel/index.ts';
import { maxDepth, put, type Wire } from './xmlrpc-decode.ts';

/** The text is no JSON-RPC call. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}
export interface JsonCall {
  readonly version: '1.0' | '2.0';
  readonly id: string | number;
  readonly method: string;
  readonly params: readonly Wire[];
}

/** Reads one call. Throws `JsonError`. Batches, named parameters and notifications are refused. */
export function parseJsonCall(text: string): JsonCall {
  checkDepth(text);
  const call = parse(text);
  if (Array.isArray(call)) throw new JsonError('batches are not served: send one call per request');
  if (typeof call !== 'object' || call === null) throw new JsonError('a call is a JSON object');
  const { jsonrpc, id, method, params = [] } = call as Record<string, unknown>;
  if (jsonrpc !== undefined && jsonrpc !== '2.0' && jsonrpc !== '1.0')
    throw new JsonError(`jsonrpc must be "1.0" or "2.0", not ${excerpt(jsonrpc)}`);
  if (typeof method !== 'string' || method === '') throw new JsonError('method must be a string');
  if (id === undefined || id === null) throw new JsonError('notifications are not served: give the call an id');
  if (typeof id !== 'string' && !Number.isSafeInteger(id))
    throw new JsonError(`id must be a string or an integer below 2^53, not ${excerpt(id)}`);
  if (!Array.isArray(params)) throw new JsonError('params must be an array');
  return { version: jsonrpc === '2.0' ? '2.0' : '1.0', id: id as string | number, method, params };
}
const excerpt = (v: unknown): string => (JSON.stringify(v) ?? String(v)).slice(0, 40);
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new JsonError(`not JSON: ${(error as Error).message}`, { cause: error });
  }
}
/** Bounds the depth before `JSON.parse` builds anything: brackets outside strings are counted. */
function checkDepth(text: string): void {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) i = endOfString(text, i);
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > maxDepth + 2) throw new JsonError(`values are nested more than ${maxDepth} deep`);
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
}
function endOfString(text: string, start: number): number {
  for (let i = text.indexOf('"', start + 1); i >= 0; i = text.indexOf('"', i + 1)) {
    let slashes = 0;
    while (text.charCodeAt(i - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return i;
  }
  return text.length;
}

/** What goes before and after the value of a call that went well. */
export function jsonSuccess(call: Pick<JsonCall, 'version' | 'id'>): { before: string; after: string } {
  const id = JSON.stringify(call.id);
  if (call.version === '2.0') return { before: '{"jsonrpc":"2.0","result":', after: `,"id":${id}}` };
  return { before: '{"result":', after: `,"error":null,"id":${id}}` };
}
/** The answer of a call that failed; `error` is the code, then its parameters. */
export function jsonFailure(call: Pick<JsonCall, 'version' | 'id'>, error: readonly string[]): string {
  const { version, id } = call;
  if (version === '1.0') return JSON.stringify({ result: null, error, id });
  return JSON.stringify({ jsonrpc: '2.0', error: { code: 1, message: error[0], data: error.slice(1) }, id });
}

/** One value of a declared type as JSON text. void is an empty string, as in XML. */
export function jsonValue(type: Type<unknown>, value: unknown): string {
  if (type.kind === 'void') return '""';
  return JSON.stringify(type.kind === 'record' ? publicRecord(type.cls as string, value) : value) ?? 'null';
}

/** Names of the fields that leave the server, by class. */
const columns: ReadonlyMap<string, readonly string[]> = new Map(
  Object.values(classes).map((c) => [
    c.name,
    Object.entries(c.fields).flatMap(([name, f]) => (f.internal ? [] : [name])),
  ]),
);
/** The record without what never leaves the server, in declared order. A class that is not declared: all of it. */
export function publicRecord(cls: string, value: unknown): Readonly<Record<string, unknown>> {
  const record = value as Readonly<Record<string, unknown>>;
  const names = columns.get(cls);
  if (!names) return record;
  const out: Record<string, unknown> = {};
  for (const name of names) {
    const v = record[name];
    if (v !== undefined && v !== null) put(out, name, v);
  }
  return out;
}
/** The public record of a class as JSON text. */
export const encodeRecordJson = (cls: ClassName, record: Readonly<Record<string, unknown>>): Buffer =>
  Buffer.from(JSON.stringify(publicRecord(cls, record)));
