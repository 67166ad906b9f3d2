/**
 * The unix socket: every peer has domain 0's rights, which the socket's mode (0600) guards. One write sends all answers of a turn; a peer that does
 * not read keeps its answers in its own queue, and is not read from until it does.
 */
import { writeSync } from 'node:fs';
import { chmod, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../../base/log.ts';
import type { Connection, Line } from '../connection.ts';
import type { Core } from '../core.ts';
import type { Output } from '../output.ts';

export interface SocketServer {
  /** Ends the listening and every connection. */
  close(): Promise<void>;
  readonly server: Server;
}

/** Serves `core` on a unix socket at `path`, replacing one that nobody serves. Throws when somebody does. */
export async function listenSocket(core: Core, path: string, log: Log): Promise<SocketServer> {
  await clear(path);
  const server = createServer((socket) => void new SocketLine(core, socket));
  server.on('error', (error) => log.error('the socket failed', { path, error: String(error) }));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
  await chmod(path, 0o600);
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

/** Node's own handle of a socket; without a descriptor, the stream writes. */
type WithHandle = Socket & { readonly _handle?: { readonly fd?: number } | null };

class SocketLine implements Line {
  readonly #socket: Socket;
  readonly #connection: Connection;
  #writing = false;

  constructor(core: Core, socket: Socket) {
    this.#socket = socket;
    this.#connection = core.connect(this);
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
    this.#socket.write(output.take(), () => {
      this.#writing = false;
      if (output.length > 0) this.flush(connection);
      connection.drained();
      if (connection.wantsInput) this.#socket.resume();
    });
  }
  /** Writes what the kernel takes at once, without the stream's bookkeeping; false when the peer is gone. */
  #writeNow(output: Output): boolean {
    const fd = (this.#socket as WithHandle)._handle?.fd ?? -1;
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
