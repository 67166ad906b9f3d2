/**
 * xenvm's socket: a request is four bytes of length, most significant first, and JSON-RPC 2.0; the answer is JSON alone, and the end.
 *
 *     accepted ──length──▶ request ──whole──▶ carried out ──▶ answered, closed
 *         └──── too long, no JSON, or gone ──▶ refused, closed
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Params } from './commands.ts';
import { UnknownCommand } from './commands.ts';

const longestRequest = 1 << 20;
/** How long a client may take to say what it wants. */
const requestMs = 10_000;
export type Handle = (method: string, params: Params) => Promise<string | undefined>;

/** Listens; the path must be free. */
export async function serveCommands(path: string, handle: Handle): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    void serveOne(socket, handle).catch(() => socket.destroy()); // the client is gone, or said nothing that could be answered
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return server;
}
async function serveOne(socket: Socket, handle: Handle): Promise<void> {
  socket.on('error', () => socket.destroy());
  socket.setTimeout(requestMs, () => socket.destroy());
  let text: string;
  try {
    text = await readRequest(socket);
  } catch (error) {
    return answer(socket, 0, { error: { code: -32602, message: (error as Error).message } });
  }
  socket.setTimeout(0);
  const { id, method, params, why } = requestOf(text);
  if (why !== undefined) return answer(socket, id, { error: { code: -32602, message: why } });
  try {
    answer(socket, id, { result: (await handle(method, params)) ?? null });
  } catch (error) {
    const { message } = error as Error;
    answer(socket, error instanceof UnknownCommand ? 0 : id, { error: { code: -32602, message } });
  }
}
async function readRequest(socket: Socket): Promise<string> {
  let bytes = Buffer.alloc(0);
  for await (const piece of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, piece]);
    if (bytes.length < 4) continue;
    const length = bytes.readUInt32BE(0);
    if (length > longestRequest)
      throw new Error(`the request has ${length} bytes; at most ${longestRequest} are taken`);
    if (bytes.length >= 4 + length) return bytes.toString('utf8', 4, 4 + length);
  }
  throw new Error('the request ended before it was whole');
}
interface Request {
  readonly id: unknown;
  readonly method: string;
  readonly params: Params;
  readonly why?: string;
}
function requestOf(text: string): Request {
  const bad = (why: string, id: unknown = 0): Request => ({ id, method: '', params: {}, why });
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    return bad(`the request is no JSON: ${(error as Error).message}`);
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return bad('the request is no object');
  const { id = 0, method, params = {} } = given as Record<string, unknown>;
  if (typeof method !== 'string') return bad('method: it must be a text', id);
  if (typeof params !== 'object' || params === null || Array.isArray(params))
    return bad('params: they must be an object', id);
  const wrong = Object.entries(params).find(([, value]) => typeof value !== 'string');
  if (wrong) return bad(`${wrong[0]}: it must be a text`, id);
  return { id, method, params: params as Params };
}
function answer(socket: Socket, id: unknown, body: object): void {
  socket.end(JSON.stringify({ jsonrpc: '2.0', ...body, id }));
}

/** Sends one command; answers its text. An Error with what the server said, or why there is none. */
export async function sendCommand(path: string, method: string, params: Params, timeoutMs: number): Promise<string> {
  const signal = AbortSignal.timeout(timeoutMs);
  const socket = connect({ path, allowHalfOpen: true });
  socket.setEncoding('utf8');
  try {
    await once(socket, 'connect', { signal });
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', method, params, id: 1 }));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    socket.write(Buffer.concat([length, body]));
    signal.addEventListener('abort', () => socket.destroy(signal.reason as Error), { once: true });
    let text = '';
    for await (const piece of socket) text += piece as string;
    const { result, error } = JSON.parse(text) as { result?: string | null; error?: { message: string } };
    if (error) throw new Error(error.message);
    return result ?? '';
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (signal.aborted)
      throw new Error(`no answer within ${timeoutMs / 1000} s; it may still be done`, { cause: error });
    if (code === 'ENOENT' || code === 'ECONNREFUSED')
      throw new Error(`no xenvm serves this VM (looked at ${path}); start one: xenvm CONFIG`, { cause: error });
    throw error instanceof SyntaxError
      ? new Error(`${path}: the answer is no JSON: ${message}`, { cause: error })
      : error;
  } finally {
    socket.destroy();
  }
}
/** Whether somebody answers on the socket. */
export async function isServed(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
