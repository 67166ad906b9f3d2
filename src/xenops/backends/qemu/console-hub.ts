/**
 * The serial console of one guest for any number of clients. QEMU talks to one at a time and makes the guest wait for a slow one;
 * so clients read the log that QEMU writes anyway, each at its own pace, and only what they type goes to QEMU.
 *
 *     guest ──▶ QEMU ──▶ console.log ──▶ readers: the last of it first, then what comes
 *       ▲         └────▶ line (drained, dropped) ◀──┐
 *       └───────────────────────────────────────────┴── typed by any reader; connected at the first key, until a while
 *                                                       after the last reader has gone
 *
 * A reader that is slower than the log's turn-over misses a piece. A new toolstack finds the log where the old one left it.
 */
import { type FSWatcher, rmSync, watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { bestEffort } from '../../../base/best-effort.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Log } from '../../../base/log.ts';

export interface ConsoleHubOptions {
  /** Where clients connect: a unix socket, for ourselves only. */
  readonly path: string;
  /** QEMU's socket. */
  readonly serial: string;
  /** The log that QEMU appends to. */
  readonly consoleLog: string;
  readonly clock: Clock;
  readonly log: Log;
}
/** Bytes of the past that a new reader gets. */
const replayBytes = 16 << 10;
const chunkBytes = 64 << 10;
/** How long QEMU gets to take what the last reader has typed. */
const lingerMs = 1_000;
/** A look at the log, should the kernel not tell of its growth. */
const lookMs = 1_000;

interface Reader {
  readonly socket: Socket;
  /** Wakes it when the log has grown. */
  wake: () => void;
}

export class ConsoleHub {
  readonly #o: ConsoleHubOptions;
  readonly #server: Server;
  readonly #readers = new Set<Reader>();
  #line: Socket | undefined;
  #watcher: FSWatcher | undefined;
  #cancelLook: (() => void) | undefined;
  #cancelLinger: (() => void) | undefined;
  #closed = false;

  /** Listens at once. */
  constructor(o: ConsoleHubOptions) {
    this.#o = o;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.on('error', (error) => o.log.warn('a console cannot be served', { error: error.message }));
    rmSync(o.path, { force: true });
    const umask = process.umask(0o177);
    try {
      this.#server.listen(o.path);
    } finally {
      process.umask(umask);
    }
  }
  /** The guest is gone: readers get what it said last. */
  close(): void {
    this.#closed = true;
    this.#server.close();
    this.#cancelLinger?.();
    this.#line?.destroy();
    for (const reader of this.#readers) reader.wake();
    this.#rest();
  }

  #serve(socket: Socket): void {
    const reader: Reader = { socket, wake: () => undefined };
    this.#readers.add(reader);
    this.#cancelLinger?.();
    this.#attend();
    socket.on('error', () => socket.destroy()); // a client may go away at any time
    socket.on('data', (typed) => this.#type(socket, typed));
    socket.once('close', () => {
      this.#readers.delete(reader);
      reader.wake();
      if (this.#readers.size === 0) this.#rest();
    });
    void bestEffort('a reader of a console', this.#o.log, () => this.#tell(reader)).finally(() => socket.end());
  }
  /** Sends the log to a reader until either has ended. */
  async #tell(reader: Reader): Promise<void> {
    await using file = await open(this.#o.consoleLog, 'r');
    let at = await startOf(file);
    const buffer = Buffer.alloc(chunkBytes);
    while (reader.socket.writable) {
      // Before the look, so that growth after it is not missed.
      const grown = new Promise<void>((resolve) => {
        reader.wake = resolve;
      });
      const last = this.#closed;
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead > 0) {
        at += bytesRead;
        if (!reader.socket.writable) return;
        if (!reader.socket.write(Buffer.from(buffer.subarray(0, bytesRead)))) await drained(reader.socket);
      } else if ((await file.stat()).size < at) {
        at = 0; // turned over
      } else if (last) {
        return;
      } else {
        await grown;
      }
    }
  }
  #type(reader: Socket, typed: Buffer): void {
    if (this.#closed) return;
    const line = this.#line ?? this.#connect();
    if (line.write(typed)) return;
    // The guest does not read: whoever types waits.
    reader.pause();
    const on = () => reader.resume();
    line.once('drain', on);
    line.once('close', on);
  }
  #connect(): Socket {
    const line = connect(this.#o.serial);
    this.#line = line;
    line.resume(); // it is in the log
    line.on('error', (error) => this.#o.log.info('a console cannot be typed on', { error: error.message }));
    line.once('close', () => {
      if (this.#line === line) this.#line = undefined;
    });
    return line;
  }

  /** Somebody reads: look at the log whenever it grows. */
  #attend(): void {
    if (this.#cancelLook) return;
    const wake = () => {
      for (const reader of this.#readers) reader.wake();
    };
    try {
      this.#watcher = watch(this.#o.consoleLog, { persistent: false }, wake);
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch (error) {
      this.#o.log.info('a console log cannot be watched; looked at instead', { error: String(error) });
    }
    const look = () => {
      wake();
      this.#cancelLook = this.#o.clock.after(lookMs, look);
    };
    this.#cancelLook = this.#o.clock.after(lookMs, look);
  }
  /** Nobody reads. */
  #rest(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    if (this.#closed || !this.#line) return;
    this.#cancelLinger = this.#o.clock.after(lingerMs, () => this.#line?.destroy());
  }
}

/** Where a new reader begins: the first whole line of the last bytes. */
async function startOf(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  if (size <= replayBytes) return 0;
  const from = size - replayBytes;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(replayBytes), 0, replayBytes, from);
  const newline = buffer.subarray(0, bytesRead).indexOf(10);
  return newline < 0 ? from : from + newline + 1;
}
/** Resolves when the socket takes more, or never will. */
function drained(socket: Socket): Promise<void> {
  if (!socket.writable) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}
