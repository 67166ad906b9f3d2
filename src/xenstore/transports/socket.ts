/**
 * The unix socket: every peer has domain 0's rights, which the socket's mode (0600) guards. One write sends all answers of a turn; a peer that does
 * not read keeps its answers in its own queue, and is not read from until it does.
 */
import { chmod, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../../base/log.ts';
import type { Connection, Line } from '../connection.ts';
import type { Core } from '../core.ts';

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
    if (this.#writing) return;
    const { output } = connection;
    const written = this.#socket.write(output.take(), () => {
      this.#writing = false;
      if (output.length > 0) this.flush(connection);
      connection.drained();
      if (connection.wantsInput) this.#socket.resume();
    });
    this.#writing = !written || this.#socket.writableLength > 0;
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
