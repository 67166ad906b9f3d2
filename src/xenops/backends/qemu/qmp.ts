/**
 * QMP, the control protocol of one QEMU, over its unix socket: commands matched by id, events, deadlines. The peer is not
 * trusted: a line that is too long or is not a JSON object ends the connection.
 *
 *     connecting ──greeting, capabilities──▶ open ──closed, garbage, close()──▶ closed
 */
import { connect, type Socket } from 'node:net';
import type { Clock } from '../../../base/clock.ts';

export type Json = Readonly<Record<string, unknown>>;
export interface QmpEvent {
  readonly event: string;
  readonly data: Json;
}
export interface QmpOptions {
  readonly clock: Clock;
  /** How long a command may take, unless it says otherwise. */
  readonly deadlineMs: number;
  /** Bytes of the longest line that is accepted; 4 MiB unless given. */
  readonly maxLine?: number;
  readonly onEvent: (event: QmpEvent) => void;
  /** Called once, after the connection has ended for any reason but `close()`. */
  readonly onClosed: (reason: string) => void;
}

/** QEMU refused a command: its class (`GenericError`, `DeviceNotFound`, …) and text. */
export class QmpError extends Error {
  override readonly name = 'QmpError';
  readonly class: string;
  constructor(command: string, kind: string, description: string) {
    super(`${command}: ${description}`);
    this.class = kind;
  }
}
/** No answer in time. The command may still be carried out. */
export class QmpTimeout extends Error {
  override readonly name = 'QmpTimeout';
}
/** The connection ended before the answer. */
export class QmpClosed extends Error {
  override readonly name = 'QmpClosed';
}

interface Waiting {
  readonly command: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly cancelTimer: () => void;
}

export class Qmp {
  readonly #socket: Socket;
  readonly #options: QmpOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #maxLine: number;
  #chunks: Buffer[] = [];
  #length = 0;
  #serial = 0;
  #closed = false;
  #greet: (() => void) | undefined;
  readonly greeting: Promise<void>;

  constructor(socket: Socket, options: QmpOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#maxLine = options.maxLine ?? 4 << 20;
    this.greeting = new Promise((resolve) => {
      this.#greet = resolve;
    });
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#end(`socket error: ${error.message}`));
    socket.on('close', () => this.#end('the socket was closed'));
  }
  get closed(): boolean {
    return this.#closed;
  }
  /** Runs a command and answers its `return`. Throws QmpError, QmpTimeout or QmpClosed. */
  execute(command: string, args?: Json, deadlineMs = this.#options.deadlineMs): Promise<unknown> {
    if (this.#closed) return Promise.reject(new QmpClosed(`${command}: the connection is closed`));
    const id = ++this.#serial;
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#options.clock.after(deadlineMs, () => {
        this.#waiting.delete(id);
        reject(new QmpTimeout(`${command}: no answer from QEMU within ${deadlineMs} ms`));
      });
      this.#waiting.set(id, { command, resolve, reject, cancelTimer });
      this.#socket.write(`${JSON.stringify({ execute: command, ...(args ? { arguments: args } : {}), id })}\n`);
    });
  }
  /** Lets go of QEMU, which runs on. */
  close(): void {
    this.#finish('closed by us');
  }

  #receive(chunk: Buffer): void {
    let rest = chunk;
    for (;;) {
      const newline = rest.indexOf(10);
      if (newline < 0) break;
      const line = Buffer.concat([...this.#chunks, rest.subarray(0, newline)]);
      this.#chunks = [];
      this.#length = 0;
      rest = rest.subarray(newline + 1);
      if (line.length > this.#maxLine) this.#end(`a line of ${line.length} bytes`);
      else this.#line(line);
      if (this.#closed) return;
    }
    if (rest.length === 0) return;
    this.#chunks.push(rest);
    this.#length += rest.length;
    if (this.#length > this.#maxLine) this.#end(`a line longer than ${this.#maxLine} bytes`);
  }
  #line(line: Buffer): void {
    const text = line.toString('utf8').trim();
    if (text === '') return;
    let message: Json;
    try {
      message = JSON.parse(text) as Json;
      if (typeof message !== 'object' || message === null) throw new Error('not an object');
    } catch (error) {
      this.#end(`not QMP: ${String(error)}: ${text.slice(0, 60)}`);
      return;
    }
    if ('QMP' in message) this.#greet?.();
    else if (typeof message['event'] === 'string')
      this.#options.onEvent({ event: message['event'], data: (message['data'] ?? {}) as Json });
    else this.#answer(message);
  }
  #answer(message: Json): void {
    const id = message['id'];
    const waiting = typeof id === 'number' ? this.#waiting.get(id) : undefined;
    if (!waiting) return; // its deadline has passed
    this.#waiting.delete(id as number);
    waiting.cancelTimer();
    const error = message['error'] as { class?: unknown; desc?: unknown } | undefined;
    if (error) waiting.reject(new QmpError(waiting.command, String(error.class), String(error.desc)));
    else waiting.resolve(message['return']);
  }
  #end(reason: string): void {
    if (this.#closed) return;
    this.#finish(reason);
    this.#options.onClosed(reason);
  }
  #finish(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    for (const w of this.#waiting.values()) {
      w.cancelTimer();
      w.reject(new QmpClosed(`${w.command}: ${reason}`));
    }
    this.#waiting.clear();
  }
}

const notYet = new Set(['ENOENT', 'ECONNREFUSED', 'EAGAIN']);

function connectOnce(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** Connects as soon as the socket is there; tries every few milliseconds until `until` aborts. */
async function connectEarly(path: string, clock: Clock, until: AbortSignal): Promise<Socket> {
  for (let attempt = 0; ; attempt++) {
    until.throwIfAborted();
    try {
      return await connectOnce(path);
    } catch (error) {
      if (!notYet.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
    await clock.sleep(attempt < 100 ? 2 : 20, until);
  }
}

/** Connects to a QEMU that is starting or running, and leaves capability negotiation behind. */
export async function connectQmp(path: string, options: QmpOptions, until: AbortSignal): Promise<Qmp> {
  const socket = await connectEarly(path, options.clock, until);
  const qmp = new Qmp(socket, options);
  const abort = () => qmp.close();
  until.addEventListener('abort', abort, { once: true });
  try {
    // QEMU reads commands that come before its greeting is out, so the first round trip is saved.
    await qmp.execute('qmp_capabilities');
  } catch (error) {
    qmp.close();
    throw until.aborted ? until.reason : error;
  } finally {
    until.removeEventListener('abort', abort);
  }
  return qmp;
}
