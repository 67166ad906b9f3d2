/** A contract's implementation behind a unix socket. Arguments are checked here; nothing unchecked reaches it. */
import { chmodSync, existsSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../base/log.ts';
import type { Api, Contract } from '../contracts/contract.ts';
import { errorToWire, rpcErrors } from './errors.ts';
import { defaultMaxBytes, FrameReader, type Message, send, sendText } from './frames.ts';
import { checkSocketPath, isAnswered } from './socket-path.ts';

export interface ServeOptions {
  readonly socketPath: string;
  /** Of the socket; 0600 by default. */
  readonly mode?: number;
  readonly log: Log;
  readonly maxBytes?: number;
  /** Calls in flight on one connection; more are refused. */
  readonly maxCalls?: number;
}
export interface Served {
  /** Stops listening, ends every connection (their calls are cancelled) and removes the socket. */
  close(): Promise<void>;
}
/** An implementation of any contract, as a connection calls it: by name, with checked arguments. */
type Verb = (args: unknown, call: object) => Promise<unknown>;
interface AnyApi {
  readonly nouns: Readonly<Record<string, Readonly<Record<string, Verb>>>>;
  watch(listener: (event: unknown) => void): () => void;
}
const anyApi = (implementation: unknown): AnyApi => ({
  nouns: implementation as AnyApi['nouns'],
  watch: (listener) => (implementation as AnyApi).watch(listener),
});

/** Listens; rejects when somebody answers on that socket already. A socket that nobody answers on is replaced. */
export async function serveContract<const C extends Contract>(
  contract: C,
  implementation: Api<C>,
  options: ServeOptions,
): Promise<Served> {
  const { socketPath } = options;
  checkSocketPath(socketPath);
  if (existsSync(socketPath)) {
    if (await isAnswered(socketPath)) throw new Error(`${socketPath}: another process serves ${contract.name} there`);
    unlinkSync(socketPath);
  }
  const api = anyApi(implementation);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    new Connection(contract, api, socket, options).open();
  });
  await listen(server, socketPath, options.mode ?? 0o600);
  return {
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Serves one connection that somebody else accepted; its calls are cancelled when it ends. */
export function serveConnection<const C extends Contract>(
  contract: C,
  implementation: Api<C>,
  socket: Socket,
  options: Omit<ServeOptions, 'socketPath' | 'mode'>,
): void {
  new Connection(contract, anyApi(implementation), socket, options).open();
}

/** The socket is made with its final mode, so that nobody can connect in between. */
function listen(server: Server, path: string, mode: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const umask = process.umask(0o777 & ~mode);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        chmodSync(path, mode);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  });
}

class Connection {
  readonly #contract: Contract;
  readonly #implementation: AnyApi;
  readonly #socket: Socket;
  readonly #log: Log;
  readonly #maxBytes: number;
  readonly #maxCalls: number;
  readonly #calls = new Map<number, AbortController>();
  #unwatch: (() => void) | undefined;

  constructor(
    contract: Contract,
    implementation: AnyApi,
    socket: Socket,
    options: Omit<ServeOptions, 'socketPath' | 'mode'>,
  ) {
    this.#contract = contract;
    this.#implementation = implementation;
    this.#socket = socket;
    this.#log = options.log.with({ contract: contract.name });
    this.#maxBytes = options.maxBytes ?? defaultMaxBytes;
    this.#maxCalls = options.maxCalls ?? 4096;
  }
  open(): void {
    const reader = new FrameReader(this.#maxBytes);
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const message of reader.push(chunk)) this.#receive(message);
      } catch (error) {
        this.#log.warn('a peer sent what is no message; disconnected', { error: String(error) });
        socket.destroy();
      }
    });
    socket.on('error', (error) => this.#log.info('a connection failed', { error: error.message }));
    socket.once('close', () => this.#end());
    this.#send({ hello: this.#contract.name });
  }
  /** Nobody waits for the answers any more: ask the work to stop. */
  #end(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    for (const call of this.#calls.values()) call.abort(new Error('the caller is gone'));
  }
  #send(message: Message): void {
    send(this.#socket, message, 4 * this.#maxBytes);
  }
  #receive(message: Message): void {
    if ('cancel' in message) this.#calls.get(message.cancel as number)?.abort(new Error('cancelled by the caller'));
    else if ('watch' in message) this.#watch(message.watch === true);
    else if (Number.isSafeInteger(message.id) && typeof message.call === 'string') void this.#call(message);
    else throw new Error('neither call, cancel nor watch');
  }
  #watch(on: boolean): void {
    this.#unwatch?.();
    this.#unwatch = on ? this.#implementation.watch((event) => this.#send({ event })) : undefined;
  }
  async #call(message: Message): Promise<void> {
    const id = message.id as number;
    const name = message.call as string;
    const label = typeof message.label === 'string' ? message.label : undefined;
    const abort = new AbortController();
    try {
      if (this.#calls.has(id)) throw rpcErrors.make('Bad_request', { reason: `the call id ${id} is in use` });
      if (this.#calls.size >= this.#maxCalls) throw rpcErrors.make('Too_many_calls', { limit: this.#maxCalls });
      const run = this.#method(name, message.args);
      this.#calls.set(id, abort);
      const progress = (fraction: number) => this.#send({ id, progress: fraction });
      const result = await run({ ...(label === undefined ? {} : { label }), signal: abort.signal, progress });
      this.#answer(id, name, result);
    } catch (error) {
      this.#send({ id, error: errorToWire(error, abort.signal.aborted, label ?? name) });
    } finally {
      if (this.#calls.get(id) === abort) this.#calls.delete(id);
    }
  }
  /** The checked call, ready to run. */
  #method(name: string, args: unknown): (call: object) => Promise<unknown> {
    const [noun = '', verb = '', ...rest] = name.split('.');
    const methods = Object.hasOwn(this.#contract.methods, noun) ? this.#contract.methods[noun] : undefined;
    const method = methods && Object.hasOwn(methods, verb) && rest.length === 0 ? methods[verb] : undefined;
    const run = this.#implementation.nouns[noun]?.[verb];
    if (!method || !run) throw rpcErrors.make('Method_unknown', { contract: this.#contract.name, method: name });
    const checked = method.args.check(args, name);
    return (call) => run.call(this.#implementation.nouns[noun], checked, call);
  }
  #answer(id: number, name: string, result: unknown): void {
    const text = JSON.stringify({ id, result });
    const bytes = Buffer.byteLength(text);
    if (bytes > this.#maxBytes)
      throw rpcErrors.make('Too_long', { method: `the answer to ${name}`, bytes, limit: this.#maxBytes });
    sendText(this.#socket, text, 4 * this.#maxBytes);
  }
}
