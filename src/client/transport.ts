/** How a client's calls travel. Works in Node and in the browser; what needs Node is in `node-transport.ts`. */
import { ApiError } from '../datamodel/errors.ts';

export interface Transport {
  /**
   * One call: the method as on the wire (`VM.start`, `Async.VM.start`) and its parameters in order, session first.
   * Answers the bare value; a failure of the API rejects with `ApiError`.
   */
  call(method: string, params: readonly unknown[], signal?: AbortSignal): Promise<unknown>;
}

/** Calls that stay in this process. */
export const localTransport = (call: Transport['call']): Transport => ({ call });

/** The body of a JSON-RPC 2.0 call. */
export const jsonRpcRequest = (method: string, params: readonly unknown[], id = 1): string =>
  JSON.stringify({ jsonrpc: '2.0', method, params, id });

/** The value in a JSON-RPC 2.0 answer. Throws `ApiError` for a failure, `INTERNAL_ERROR` for what is no answer. */
export function jsonRpcResult(text: string): unknown {
  const answer = parse(text);
  if (answer.error !== undefined && answer.error !== null) {
    const { message, data } = answer.error as { message?: unknown; data?: unknown };
    const rest = Array.isArray(data) ? data.map(String) : data === undefined || data === null ? [] : [String(data)];
    throw ApiError.fromWire([String(message), ...rest]);
  }
  if (!('result' in answer)) throw unreadable(text);
  return answer.result;
}

function parse(text: string): { result?: unknown; error?: unknown } {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (error) {
    throw unreadable(text, error);
  }
  if (typeof answer !== 'object' || answer === null) throw unreadable(text);
  return answer;
}

const unreadable = (text: string, cause?: unknown) =>
  ApiError.of('INTERNAL_ERROR', { message: `not a JSON-RPC answer: ${text.slice(0, 200)}` }, { cause });

/** JSON-RPC over `fetch`: `base` is `https://host:port`. */
export function fetchTransport(base: string, fetchImpl: typeof fetch = fetch): Transport {
  const url = new URL('/jsonrpc', base).href;
  return {
    async call(method, params, signal) {
      const body = jsonRpcRequest(method, params);
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body, signal: signal ?? null };
      const answer = await fetchImpl(url, init);
      const text = await answer.text();
      if (!answer.ok)
        throw ApiError.of('INTERNAL_ERROR', { message: `${url} answered ${answer.status}: ${text.slice(0, 200)}` });
      return jsonRpcResult(text);
    },
  };
}
