/**
 * A guest's console for any number of clients. Xen's console daemon keeps the guest's ring and offers a terminal, which one
 * reader may have: that is this bridge. It writes the log that clients are served from (see qemu/console-hub.ts).
 *
 *     guest ──ring──▶ xenconsoled ──terminal──▶ bridge ──▶ console.log ──▶ hub ──▶ clients
 *                          ▲                      ▲                         │
 *                          └──────────────────────┴───── line ◀── typed ────┘
 *
 * While no toolstack runs the daemon keeps the last MiB of what the guest says.
 */
import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { stat, truncate } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { ReadStream } from 'node:tty';
import { bestEffort } from '../../../base/best-effort.ts';
import type { Log } from '../../../base/log.ts';
import { ConsoleHub } from '../qemu/console-hub.ts';
import type { Domain } from './domain.ts';
import type { Paths } from './folder.ts';
import { domainPath } from './store-layout.ts';

/** Bytes of a console's log before it begins anew. */
const logBytes = 16 << 20;

export interface GuestConsole {
  /** Stops; clients get what was said last. The terminal is left to a later bridge. */
  close(): void;
}

/** Begins at once; the terminal is taken as soon as the console daemon has said which one it is. */
export function openConsole(domain: Domain): GuestConsole {
  const { store, folders, clock, log } = domain.needs;
  const paths = folders.paths(domain.vm);
  // An HVM guest's serial line is its emulator's.
  if (domain.record.spec.domainType === 'hvm') {
    closeSync(openSync(paths.consoleLog, 'a', 0o600));
    return new ConsoleHub({ path: paths.console, serial: paths.line, consoleLog: paths.consoleLog, clock, log });
  }
  const bridge = new Bridge(paths, log.with({ vm: domain.vm }));
  const hub = new ConsoleHub({ path: paths.console, serial: paths.line, consoleLog: paths.consoleLog, clock, log });
  const path = `${domainPath(domain.domid)}/console/tty`;
  let closed = false;
  let unwatch: (() => Promise<void>) | undefined;
  const look = async () => {
    const terminal = await store.find(path);
    if (terminal && !closed) bridge.take(terminal);
  };
  void bestEffort('a guest without a console', log, async () => {
    unwatch = await store.watch(path, () => void bestEffort('the terminal of a console', log, look));
    if (closed) await unwatch();
  });
  return {
    close() {
      closed = true;
      void bestEffort('the watch of a console', log, () => unwatch?.());
      bridge.close();
      hub.close();
    },
  };
}

class Bridge {
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #line: Server;
  readonly #file: number;
  #terminal: { readonly path: string; readonly stream: ReadStream; readonly fd: number } | undefined;
  #written = 0;

  constructor(paths: Paths, log: Log) {
    this.#paths = paths;
    this.#log = log;
    this.#file = openSync(paths.consoleLog, 'a', 0o600);
    this.#line = createServer((socket) => {
      socket.on('error', () => socket.destroy()); // a client may go away at any time
      socket.on('data', (typed) => this.#type(typed));
    });
    this.#line.on('error', (error) => log.warn('a console cannot be typed on', { error: error.message }));
    rmSync(paths.line, { force: true });
    const umask = process.umask(0o177);
    try {
      this.#line.listen(paths.line);
    } finally {
      process.umask(umask);
    }
  }
  /** Reads this terminal from now on. */
  take(path: string): void {
    if (this.#terminal?.path === path) return;
    this.#leave();
    try {
      const fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
      const stream = new ReadStream(fd);
      stream.setRawMode(true);
      stream.on('data', (said: Buffer) => this.#hear(said));
      // The daemon closes it when the domain ends.
      stream.on('error', () => this.#leave());
      stream.on('end', () => this.#leave());
      this.#terminal = { path, stream, fd };
    } catch (error) {
      this.#log.warn('the terminal of a console cannot be opened', { path, error: String(error) });
    }
  }
  close(): void {
    this.#leave();
    this.#line.close();
    closeSync(this.#file);
  }
  #leave(): void {
    this.#terminal?.stream.destroy();
    this.#terminal = undefined;
  }
  #hear(said: Buffer): void {
    writeSync(this.#file, said);
    this.#written += said.length;
    if (this.#written < logBytes) return;
    this.#written = 0;
    void bestEffort('a long console log', this.#log, async () => {
      if ((await stat(this.#paths.consoleLog)).size > logBytes) await truncate(this.#paths.consoleLog);
    });
  }
  /** What does not fit is lost: a guest that does not read its console gets no more of it. */
  #type(typed: Buffer): void {
    if (!this.#terminal) return;
    try {
      writeSync(this.#terminal.fd, typed);
    } catch (error) {
      this.#log.info('a guest did not take what was typed', { error: String(error) });
    }
  }
}
