/**
 * The unix socket: every peer has domain 0's rights, which the socket's mode (0600) guards. One write sends all answers of a turn; a peer that does
 * not read keeps its answers in its own queue, and is not read from until it does.
 */
import { writeSync } from 'node:fs';
import { chmod, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, Socket } from 'node:net';
import type { Log } from '../../base/log.ts';
import type { Connection, Line } from '../connection.ts';
import type { Core } from '../core.ts';
import { leftOfFrame, type Output } from '../output.ts';

export interface SocketServer {
  /** Ends the listening and every connection. */
  close(): Promise<void>;
  readonly server: Server;
}

/**
 * Serves `core` on a unix socket at `path`, replacing one that nobody serves. Throws when somebody does. `inherited` is the descriptor of a
 * predecessor that listens there already.
 */
export async function listenSocket(core: Core, path: string, log: Log, inherited?: number): Promise<SocketServer> {
  if (inherited === undefined) await clear(path);
  const server = createServer((socket) => void new SocketLine(core, socket));
  server.on('error', (error) => log.error('the socket failed', { path, error: String(error) }));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(inherited === undefined ? { path } : { fd: inherited }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  if (inherited === undefined) await chmod(path, 0o600);
  return {
    server,
    async close() {
      for (const connection of core.connections) if (connection.line instanceof SocketLine) core.disconnect(connection);
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Takes away the socket of a daemon that is dead. */
async function clear(path: string): Promise<void> {
  const state = await new Promise<'served' | 'dead' | 'free'>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve('served');
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED' ? 'dead' : 'free'));
  });
  if (state === 'served')
    throw new Error(`${path}: another xenstored serves this socket; end it first, or choose another path`);
  if (state === 'dead') await unlink(path);
}

/** The descriptor of what listens or is connected; -1 when it is closed. */
export const descriptorOf = (open: Server | Socket): number =>
  (open as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? -1;

/** Goes on with the descriptor of a peer that a predecessor served. */
export const adoptSocket =
  (core: Core, fd: number) =>
  (connection: Connection): Line =>
    new SocketLine(core, new Socket({ fd, readable: true, writable: true }), connection);

/** What of a socket is neither in its connection nor in the kernel. */
export interface SocketRemainder {
  readonly fd: number;
  /** Requests that were read and not given to the connection. */
  readonly input: Buffer;
  /** Answers that wait before those of the connection; their first `unfinished` bytes belong to one that was begun. */
  readonly output: Buffer;
  readonly unfinished: number;
}

export class SocketLine implements Line {
  readonly #socket: Socket;
  readonly #connection: Connection;
  #writing = false;
  /** What the stream was given last, and how much at its beginning belongs to a frame that was begun. */
  #given: Buffer = Buffer.alloc(0);
  #givenUnfinished = 0;

  /** `connection` is one that a predecessor began. */
  constructor(core: Core, socket: Socket, connection?: Connection) {
    this.#socket = socket;
    this.#connection = connection ?? core.connect(this);
    socket.on('data', (bytes) => {
      this.#connection.receive(bytes as Buffer);
      if (!this.#connection.wantsInput) socket.pause();
    });
    // What a peer sent before it hung up was answered; a connection ends in one way only, with 'close'.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => core.disconnect(this.#connection));
  }
  flush(connection: Connection): void {
    const { output } = connection;
    if (this.#writing) return;
    if (!this.#writeNow(output)) return;
    if (output.length === 0) return;
    this.#writing = true;
    this.#givenUnfinished = output.unfinished;
    this.#given = output.take();
    this.#socket.write(this.#given, () => {
      this.#writing = false;
      if (output.length > 0) this.flush(connection);
      connection.drained();
      if (connection.wantsInput) this.#socket.resume();
    });
  }
  /** Writes what the kernel takes at once, without the stream's bookkeeping; false when the peer is gone. */
  #writeNow(output: Output): boolean {
    const fd = descriptorOf(this.#socket);
    if (fd < 0) return !this.#socket.destroyed;
    try {
      output.consume(writeSync(fd, output.bytes, output.head, output.length));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return true;
      this.#socket.destroy();
      return false;
    }
    return true;
  }
  /** For a successor, right before this program ends; undefined when the peer has hung up. */
  remainder(): SocketRemainder | undefined {
    const fd = descriptorOf(this.#socket);
    if (fd < 0 || this.#socket.destroyed) return undefined;
    this.#socket.pause();
    const input = (this.#socket.read() as Buffer | null) ?? Buffer.alloc(0);
    const queued =
      (this.#socket as { readonly _handle?: { readonly writeQueueSize?: number } })._handle?.writeQueueSize ?? 0;
    const sent = this.#given.length - (this.#writing ? queued : 0);
    return {
      fd,
      input,
      output: this.#writing ? this.#given.subarray(sent) : Buffer.alloc(0),
      unfinished: this.#writing ? leftOfFrame(this.#given, this.#givenUnfinished, sent) : 0,
    };
  }
  resume(): void {
    this.#socket.resume();
  }
  broken(): void {
    this.#socket.destroy();
  }
  close(): void {
    this.#socket.destroy();
  }
}
