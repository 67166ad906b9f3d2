/** The RPC endpoints: a request's body in, its answer out, in the bytes that clients expect. */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { fail, toApiError } from '../datamodel/errors.ts';
import { type JsonCall, JsonError, jsonFailure, jsonSuccess, parseJsonCall } from '../wire/jsonrpc.ts';
import { parseXmlCall, XmlError, xmlBare, xmlFailure, xmlSuccess } from '../wire/xmlrpc.ts';
import type { Dispatcher } from './dispatch.ts';
import { cors, sendError } from './pages.ts';
import { type Chunk, type Codec, encodeBody } from './prebuilt.ts';
import type { Caller } from './routes.ts';

/** Bytes of a request's body. */
export const bodyLimit = 300 * 1024;
/** Answers above this are written in blocks, waiting for the client. */
const blockSize = 256 * 1024;

/** Reads the body and answers the call. Never rejects. */
export async function serveRpc(
  dispatcher: Dispatcher,
  codec: Codec,
  caller: Caller,
  req: IncomingMessage,
  res: ServerResponse,
  /** How long the body may take to arrive. */
  bodyMs: number,
): Promise<void> {
  const body = await readBody(req, res, bodyMs);
  if (!body) return;
  if (codec === 'xml') await serveXml(dispatcher, caller, body, res);
  else await serveJson(dispatcher, caller, body, res);
}

/** The body, or undefined when the request was refused or the client has gone. */
function readBody(req: IncomingMessage, res: ServerResponse, bodyMs: number): Promise<Buffer | undefined> {
  const announced = Number(req.headers['content-length'] ?? 0);
  const tooLarge = () => sendError(res, 413, `requests may have up to ${bodyLimit} bytes`);
  return new Promise((resolve) => {
    if (announced > bodyLimit) {
      tooLarge();
      return resolve(undefined);
    }
    const parts: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => {
      sendError(res, 408, `the request did not arrive within ${bodyMs / 1000} s`);
      finish(undefined);
    }, bodyMs);
    const finish = (body: Buffer | undefined) => {
      clearTimeout(timer);
      req.removeAllListeners('data');
      resolve(body);
    };
    req.on('data', (part: Buffer) => {
      size += part.length;
      if (size > bodyLimit) {
        tooLarge();
        finish(undefined);
      } else parts.push(part);
    });
    req.once('end', () => finish(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)));
    req.once('error', () => finish(undefined));
    req.once('close', () => finish(undefined));
  });
}

/** INVALID_VALUE for bytes that are no UTF-8: the text of which they would be a part cannot be told. */
const notUtf8 = () =>
  fail('INVALID_VALUE', { field: 'request', value: 'it contains bytes that are not UTF-8; send all text as UTF-8' });

async function serveXml(dispatcher: Dispatcher, caller: Caller, body: Buffer, res: ServerResponse): Promise<void> {
  try {
    if (!isUtf8(body)) throw notUtf8();
    const { method, params } = parseXmlCall(body.toString('utf8'));
    const answer = await dispatcher.call(caller, method, params);
    const around = answer.bare ? xmlBare : xmlSuccess;
    await send(res, 'text/xml', encodeBody('xml', answer.type, answer.value, around));
  } catch (error) {
    if (error instanceof XmlError) sendError(res, 500, `The request is not XML-RPC: ${error.message}`);
    else await send(res, 'text/xml', [xmlFailure(toApiError(error).wire)]);
  }
}
async function serveJson(dispatcher: Dispatcher, caller: Caller, body: Buffer, res: ServerResponse): Promise<void> {
  let call: JsonCall | undefined;
  try {
    const text = body.toString('utf8');
    call = parseJsonCall(text);
    if (!isUtf8(body)) throw notUtf8();
    const answer = await dispatcher.call(caller, call.method, call.params);
    await send(res, 'application/json', encodeBody('json', answer.type, answer.value, jsonSuccess(call)));
  } catch (error) {
    if (error instanceof JsonError) sendError(res, 500, `The request is not a JSON-RPC call: ${error.message}`);
    else if (call) await send(res, 'application/json', [jsonFailure(call, toApiError(error).wire)]);
    else sendError(res, 500, String(error));
  }
}

/** Answers that are ready. */
const ready: (() => void)[] = [];
/**
 * The answers of one turn of the event loop are written one after the other at its end: clients are woken by the first, not each by its own
 * while the next request is worked on, which costs more than the request.
 */
function atEndOfTurn(write: () => void): void {
  if (ready.push(write) > 1) return;
  setImmediate(() => {
    for (const each of ready.splice(0)) each();
  });
}

const bytes = (c: Chunk): number => (typeof c === 'string' ? Buffer.byteLength(c) : c.length);

/** Writes the answer, no faster than the client reads. A client that has gone is no error. */
async function send(res: ServerResponse, type: string, chunks: readonly Chunk[]): Promise<void> {
  if (res.destroyed) return;
  let length = 0;
  for (const c of chunks) length += bytes(c);
  const head = { 'content-type': type, 'content-length': length, ...cors };
  if (length <= blockSize) {
    atEndOfTurn(() => {
      if (!res.headersSent && !res.destroyed) res.writeHead(200, head).end(whole(chunks));
    });
    return;
  }
  res.writeHead(200, head);
  let block: Buffer[] = [];
  let size = 0;
  for (const c of chunks) {
    const part = typeof c === 'string' ? Buffer.from(c) : c;
    block.push(part);
    size += part.length;
    if (size < blockSize) continue;
    if (!res.write(Buffer.concat(block, size)) && !(await drained(res))) return;
    block = [];
    size = 0;
  }
  res.end(Buffer.concat(block, size));
}
function whole(chunks: readonly Chunk[]): Chunk {
  if (chunks.length === 1) return chunks[0] as Chunk;
  if (chunks.every((c) => typeof c === 'string')) return chunks.join('');
  return Buffer.concat(chunks.map((c) => (typeof c === 'string' ? Buffer.from(c) : c)));
}
/** Waits until the client has read; false when it has gone. */
function drained(res: ServerResponse): Promise<boolean> {
  if (res.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const settle = (alive: boolean) => () => {
      res.off('drain', drain);
      res.off('close', close);
      resolve(alive);
    };
    const drain = settle(true);
    const close = settle(false);
    res.on('drain', drain);
    res.on('close', close);
  });
}
