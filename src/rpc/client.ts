/**
 * A contract behind a unix socket, as an object to call.
 *
 *     idle ──call or watch──▶ connecting ──hello──▶ connected ──lost──▶ idle (with watchers: connecting)
 *                                  │ nobody answers for connectTimeoutMs
 *                                  ▼
 *                            calls fail with Not_reachable; watchers keep it trying
 *
 * Calls in flight when the connection is lost fail with `Connection_lost`: they are never repeated, because they may have
 * been done. The next call connects again. Watchers are subscribed again, and `onReconnect` tells that events were missed.
 */
import { connect, type Socket } from 'node:net';
import { type Clock, systemClock } from '../base/clock.ts';
import { type Log, silentLog } from '../base/log.ts';
import type { Api, Call, Contract } from '../contracts/contract.ts';
import { errorFromWire, rpcErrors } from './errors.ts';
import { defaultMaxBytes, FrameReader, type Message, send, sendText } from './frames.ts';
import { checkSocketPath } from './socket-path.ts';

export interface ConnectOptions {
  readonly log?: Log;
  readonly clock?: Clock;
  readonly maxBytes?: number;
  /** How long a call waits for somebody to answer on the socket; 0: one try. 5,000 by default. */
  readonly connectTimeoutMs?: number;
  /** The connection came back after it was lost: events in between were missed. */
  readonly onReconnect?: () => void;
  /** The connection was lost. */
  readonly onLost?: () => void;
}
/** A connection that may still be connecting, or one that is ready once it is answered. */
export type Dial = () => Socket | Promise<Socket>;
type Listener = (event: never) => void;
interface Waiting {
  readonly method: string;
  readonly settle: { resolve(result: unknown): void; reject(error: unknown): void };
  readonly progress: ((fraction: number) => void) | undefined;
}

/** Nothing is connected before the first call or watch. `close` fails what is in flight and ends it for good. */
export function connectContract<const C extends Contract>(
  contract: C,
  socketPath: string,
  options: ConnectOptions = {},
): Api<C> & { close(): void } {
  checkSocketPath(socketPath);
  return connectOver(contract, socketPath, () => connect(socketPath), options);
}
/** As `connectContract`, over connections that `dial` opens; `name` is what errors call the other side. */
export function connectOver<const C extends Contract>(
  contract: C,
  name: string,
  dial: Dial,
  options: ConnectOptions = {},
): Api<C> & { close(): void } {
  const client = new Client(contract, name, dial, options);
  const api: Record<string, unknown> = {
    watch: (listener: Listener) => client.watch(listener),
    close: () => client.close(),
  };
  for (const [noun, methods] of Object.entries(contract.methods)) {
    const calls = Object.keys(methods).map((verb) => {
      const name = `${noun}.${verb}`;
      return [verb, (args: unknown, call?: Call) => client.call(name, args, call)] as const;
    });
    api[noun] = Object.fromEntries(calls);
  }
  return api as Api<C> & { close(): void };
}

class Client {
  readonly #contract: Contract;
  readonly #path: string;
  readonly #dial: Dial;
  readonly #options: ConnectOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #maxBytes: number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<Listener>();
  readonly #ended = new AbortController();
  #serial = 0;
  #socket: Socket | undefined;
  #connecting: Promise<Socket> | undefined;
  #connectedBefore = false;

  constructor(contract: Contract, path: string, dial: Dial, options: ConnectOptions) {
    this.#contract = contract;
    this.#path = path;
    this.#dial = dial;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = (options.log ?? silentLog).with({ contract: contract.name });
    this.#maxBytes = options.maxBytes ?? defaultMaxBytes;
  }
  async call(method: string, args: unknown, call: Call = {}): Promise<unknown> {
    if (call.signal?.aborted) throw rpcErrors.make('Cancelled', { task: call.label ?? method });
    const id = ++this.#serial;
    const message = { id, call: method, args, ...(call.label === undefined ? {} : { label: call.label }) };
    const text = JSON.stringify(message);
    const bytes = Buffer.byteLength(text);
    if (bytes > this.#maxBytes) throw rpcErrors.make('Too_long', { method, bytes, limit: this.#maxBytes });
    const socket = this.#usable() ?? (await this.#connect());
    const cancel = () => send(socket, { cancel: id }, Number.POSITIVE_INFINITY);
    if (call.signal?.aborted) throw rpcErrors.make('Cancelled', { task: call.label ?? method });
    try {
      return await new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(this.#lost(method));
        this.#waiting.set(id, { method, settle: { resolve, reject }, progress: call.progress });
        call.signal?.addEventListener('abort', cancel, { once: true });
        sendText(socket, text, Number.POSITIVE_INFINITY);
      });
    } finally {
      this.#waiting.delete(id);
      call.signal?.removeEventListener('abort', cancel);
    }
  }
  watch(listener: Listener): () => void {
    // Each watch is its own entry, also when one function watches twice.
    const entry: Listener = (event) => listener(event);
    this.#listeners.add(entry);
    if (this.#listeners.size === 1) {
      if (this.#socket) send(this.#socket, { watch: true }, Number.POSITIVE_INFINITY);
      else void this.#keepConnected();
    }
    return () => {
      if (!this.#listeners.delete(entry) || this.#listeners.size > 0) return;
      if (this.#socket) send(this.#socket, { watch: false }, Number.POSITIVE_INFINITY);
    };
  }
  close(): void {
    this.#ended.abort(rpcErrors.make('Closed', { contract: this.#contract.name }));
    this.#listeners.clear();
    this.#fail((w) => w.settle.reject(this.#ended.signal.reason));
    this.#socket?.destroy();
  }
  /** A socket whose end was seen, but not announced yet, is of no use any more. */
  #usable(): Socket | undefined {
    return this.#socket?.writable && !this.#socket.destroyed ? this.#socket : undefined;
  }
  #lost(method: string) {
    return rpcErrors.make('Connection_lost', { contract: this.#contract.name, method });
  }
  #fail(reject: (w: Waiting) => void): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const w of all) reject(w);
  }
  /** One attempt shared by all who wait. */
  #connect(): Promise<Socket> {
    this.#connecting ??= this.#attempts().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }
  async #attempts(): Promise<Socket> {
    const deadline = this.#clock.now() + (this.#options.connectTimeoutMs ?? 5000);
    for (let pause = 20; ; pause = Math.min(2 * pause, 500)) {
      if (this.#ended.signal.aborted) throw this.#ended.signal.reason;
      try {
        return await this.#open();
      } catch (error) {
        if (this.#clock.now() + pause > deadline) throw this.#notReachable(error);
      }
      await this.#clock.sleep(pause, this.#ended.signal);
    }
  }
  #notReachable(error: unknown) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason = code === 'ENOENT' ? 'no such socket' : code === 'ECONNREFUSED' ? 'nobody listens' : String(error);
    const args = { contract: this.#contract.name, socketPath: this.#path, reason };
    return rpcErrors.make('Not_reachable', args, { cause: error });
  }
  /** Connects and waits for the greeting, which tells that it is the right contract. */
  #open(): Promise<Socket> {
    const dialled = this.#dial();
    return dialled instanceof Promise ? dialled.then((socket) => this.#greet(socket)) : this.#greet(dialled);
  }
  #greet(socket: Socket): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const reader = new FrameReader(this.#maxBytes);
      let greeted = false;
      socket.on('data', (chunk: Buffer) => {
        try {
          for (const message of reader.push(chunk)) {
            if (greeted) this.#receive(message);
            else if (message.hello === this.#contract.name) {
              greeted = true;
              this.#opened(socket);
              resolve(socket);
            } else throw new Error(`${this.#path} serves ${String(message.hello)}, not ${this.#contract.name}`);
          }
        } catch (error) {
          socket.destroy(error as Error);
        }
      });
      socket.on('error', (error) => {
        if (greeted) this.#log.warn('a connection failed', { error: error.message });
        reject(error);
      });
      const end = () => socket.destroy();
      socket.once('close', () => {
        this.#ended.signal.removeEventListener('abort', end);
        reject(new Error('the connection ended before the greeting'));
        if (greeted) this.#closed(socket);
      });
      this.#ended.signal.addEventListener('abort', end, { once: true });
    });
  }
  #opened(socket: Socket): void {
    this.#socket = socket;
    if (this.#listeners.size > 0) send(socket, { watch: true }, Number.POSITIVE_INFINITY);
    if (this.#connectedBefore) this.#options.onReconnect?.();
    this.#connectedBefore = true;
  }
  #closed(socket: Socket): void {
    if (this.#socket === socket) this.#socket = undefined;
    this.#fail((w) => w.settle.reject(this.#lost(w.method)));
    if (this.#ended.signal.aborted) return;
    this.#options.onLost?.();
    if (this.#listeners.size > 0) void this.#keepConnected();
  }
  /** While somebody watches, the connection is brought back however long it takes. */
  async #keepConnected(): Promise<void> {
    while (!this.#usable() && this.#listeners.size > 0 && !this.#ended.signal.aborted) {
      try {
        await this.#connect();
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        this.#log.warn('cannot connect; trying on', { error: String(error) });
        await this.#clock.sleep(500, this.#ended.signal).catch(() => undefined);
      }
    }
  }
  #receive(message: Message): void {
    if ('event' in message) {
      for (const listener of [...this.#listeners]) listener(message.event as never);
      return;
    }
    const waiting = this.#waiting.get(message.id as number);
    if (!waiting) return;
    if ('progress' in message) waiting.progress?.(Number(message.progress));
    else if ('error' in message) waiting.settle.reject(errorFromWire(message.error));
    else waiting.settle.resolve(message.result);
  }
}
