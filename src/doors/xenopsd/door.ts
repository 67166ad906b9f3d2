/** One call of the xenopsd interface, from its text to the text of its answer: JSON-RPC 1.0 and 2.0, or XML-RPC by its first byte. */
import type { VmEntry } from '../../contracts/xenops.ts';
import { parseXmlCall, type Wire, xmlOf } from '../../wire/xmlrpc.ts';
import { errorVariant, unimplemented } from './errors.ts';
import { pciHandlers, vbdHandlers, vgpuHandlers, vifHandlers, vusbHandlers } from './handlers/devices.ts';
import * as host from './handlers/host.ts';
import { seen, vmHandlers } from './handlers/vm.ts';
import { methods } from './methods.ts';
import type { CallContext, DoorParts } from './parts.ts';
import { decodeMember, WireError, type WireType } from './shape.ts';
import type { Handlers, MethodName } from './table.ts';
import { errorsError } from './types.ts';

const handlers: Handlers<MethodName> = {
  ...host.daemonHandlers,
  ...host.taskHandlers,
  ...host.hostHandlers,
  ...host.updateHandlers,
  ...host.debugHandlers,
  ...host.observerHandlers,
  ...vmHandlers,
  ...vbdHandlers,
  ...vifHandlers,
  ...pciHandlers,
  ...vusbHandlers,
  ...vgpuHandlers,
};
type AnyHandler = (c: CallContext, params: unknown) => unknown;
interface Call {
  readonly method: string;
  readonly params: unknown;
  readonly answer: {
    readonly ok: (result: unknown) => string;
    readonly failed: (variant: unknown) => string;
    /** As `ok`, for a result that is text already; JSON only. */
    readonly raw?: (result: string) => string;
  };
}
/** Two methods were called by position before parameters had names. */
const positional: Readonly<Record<string, readonly string[]>> = {
  query: ['debug_info', 'unit'],
  'VM.import_metadata': ['debug_info', 'metadata'],
};

/** Answers every call, also one that is none. `signal`: the caller is gone. */
export type Answer = (text: string, signal: AbortSignal) => Promise<string>;

export function openDoor(parts: DoorParts): Answer {
  // The domain manager answers the same entry until its VM changes.
  const texts = new WeakMap<VmEntry, { port: number | undefined; text: string }>();
  const textOf = (entry: VmEntry): string => {
    const port = parts.screenPort?.(entry.spec.id);
    const known = texts.get(entry);
    if (known && known.port === port) return known.text;
    const text = JSON.stringify(methods['VM.stat'].result.encode(seen(parts, entry)));
    texts.set(entry, { port, text });
    return text;
  };
  return (text, signal) => answerCall(parts, text, signal, textOf);
}

async function answerCall(
  parts: DoorParts,
  text: string,
  signal: AbortSignal,
  textOf: (entry: VmEntry) => string,
): Promise<string> {
  let call: Call;
  try {
    call = /^\s*</.test(text) ? xmlCall(text) : jsonCall(text);
  } catch (error) {
    return jsonAnswers(undefined, null).failed(errorsError.encode(errorVariant(error)));
  }
  try {
    if (call.method === 'VM.list' && call.answer.raw)
      return call.answer.raw(`[${(await parts.xenops.vm.list({})).map(textOf).join()}]`);
    return call.answer.ok(await perform(parts, call, signal));
  } catch (error) {
    parts.log.info('a call failed', { method: call.method, error: String(error) });
    return call.answer.failed(errorsError.encode(errorVariant(error)));
  }
}

async function perform(parts: DoorParts, { method, params }: Call, signal: AbortSignal): Promise<unknown> {
  const name = method.startsWith('TASK.') ? `Task.${method.slice(5)}` : method;
  if (!Object.hasOwn(methods, name)) throw unimplemented(name);
  const declared = methods[name as MethodName];
  const given = named(name, params);
  const debug = given['debug_info'] ?? given['dbg'];
  const decoded = Object.entries(declared.params).map(([key, type]) => {
    return [key, decodeMember(type as WireType<unknown>, given[key], key)];
  });
  const context = { parts, debug: typeof debug === 'string' ? debug : '', signal };
  const result = await (handlers[name as MethodName] as AnyHandler)(context, Object.fromEntries(decoded));
  return (declared.result as WireType<unknown>).encode(result);
}
function named(method: string, params: unknown): Readonly<Record<string, unknown>> {
  const [only, ...rest] = Array.isArray(params) ? params : [params ?? {}];
  if (typeof only === 'object' && only !== null && !Array.isArray(only) && rest.length === 0) return only;
  const names = positional[method];
  if (!names || !Array.isArray(params) || params.length > names.length)
    throw new WireError('params', 'one object with named parameters', params);
  return Object.fromEntries(params.map((value, i) => [names[i], value]));
}

function jsonCall(text: string): Call {
  const call: unknown = JSON.parse(text);
  if (typeof call !== 'object' || call === null || Array.isArray(call)) throw new WireError('call', 'an object', call);
  const { method, params, id = null, jsonrpc } = call as Readonly<Record<string, unknown>>;
  if (typeof method !== 'string') throw new WireError('method', 'a string', method);
  return { method, params, answer: jsonAnswers(jsonrpc, id) };
}
function jsonAnswers(jsonrpc: unknown, id: unknown): Call['answer'] {
  if (jsonrpc !== '2.0')
    return {
      ok: (result) => JSON.stringify({ result, error: null, id }),
      raw: (result) => `{"result":${result},"error":null,"id":${JSON.stringify(id)}}`,
      failed: (error) => JSON.stringify({ result: null, error, id }),
    };
  return {
    ok: (result) => JSON.stringify({ jsonrpc, result, id }),
    raw: (result) => `{"jsonrpc":"2.0","result":${result},"id":${JSON.stringify(id)}}`,
    failed(variant) {
      const message = Array.isArray(variant) ? variant[0] : variant;
      return JSON.stringify({ jsonrpc, error: { code: 1, message, data: variant }, id });
    },
  };
}
const head = '<?xml version="1.0"?><methodResponse><params><param>';
const tail = '</param></params></methodResponse>';
function xmlCall(text: string): Call {
  const { method, params } = parseXmlCall(text);
  const answer = (status: string, key: string) => (value: unknown) =>
    `${head}<value><struct>${member('Status', status)}${member(key, value)}</struct></value>${tail}`;
  return {
    method,
    params: params as readonly Wire[],
    answer: { ok: answer('Success', 'Value'), failed: answer('Failure', 'ErrorDescription') },
  };
}
const member = (name: string, value: unknown): string => `<member><name>${name}</name>${xmlOf(value)}</member>`;
