/**
 * A guest's text console as a screen for VNC viewers (what vncterm did for paravirtual guests).
 *
 *     nobody looks ──first viewer──▶ reading the console ──last viewer gone, and a while──▶ nobody looks
 *                                          └── console ended ──▶ its last picture stays; tried again while somebody looks
 *
 * While nobody looks there is no terminal, so that a guest costs nothing; the console gives the last of what was said to whoever
 * connects.
 */
import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { type Font, loadFont } from './font.ts';
import { Terminal } from './terminal.ts';
import { Viewer } from './viewer.ts';

export interface TextScreenOptions {
  /** The unix socket of the console. */
  readonly console: string;
  /** Where viewers connect: a unix socket (mode 0600), or an address and port. */
  readonly listen: { readonly path: string } | { readonly host: string; readonly port: number };
  /** In the viewer's title. */
  readonly name: string;
  readonly password?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}
export interface TextScreen {
  /** Where it listens, when `port` was 0. */
  readonly port: number | undefined;
  close(): Promise<void>;
}
/** More viewers than anybody has; the next one is turned away. */
const mostViewers = 32;
const lingerMs = 10_000;
const retryMs = 500;
/** Pictures are made at most so often. */
const frameMs = 30;
/** How long the first picture waits for what the console has to say. */
const firstMs = 500;

/** Listens; rejects when that is not possible (EADDRINUSE, EACCES …). */
export async function openTextScreen(options: TextScreenOptions): Promise<TextScreen> {
  const screen = new Screen(options);
  await screen.open();
  return screen;
}

class Screen implements TextScreen {
  readonly #o: TextScreenOptions;
  readonly #viewers = new Map<Socket, Viewer>();
  readonly #server: Server;
  #font: Font | undefined;
  #terminal: Terminal | undefined;
  #console: Socket | undefined;
  #cancelRetry: (() => void) | undefined;
  #cancelLinger: (() => void) | undefined;
  #cancelFrame: (() => void) | undefined;
  /** The terminal is new and empty. */
  #settling: (() => void) | undefined;
  #closed = false;

  constructor(options: TextScreenOptions) {
    this.#o = options;
    this.#server = createServer((socket) => this.#join(socket));
  }
  get port(): number | undefined {
    const address = this.#server.address();
    return typeof address === 'object' ? address?.port : undefined;
  }
  open(): Promise<void> {
    const { listen } = this.#o;
    if ('path' in listen) rmSync(listen.path, { force: true });
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(listen, () => {
        if ('path' in listen) chmodSync(listen.path, 0o600);
        resolve();
      });
    });
  }
  async close(): Promise<void> {
    this.#closed = true;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#viewers.keys()) socket.destroy();
    this.#rest();
    await closed;
  }

  #join(socket: Socket): void {
    if (this.#closed || this.#viewers.size >= mostViewers) {
      socket.destroy();
      return;
    }
    this.#cancelLinger?.();
    this.#font ??= loadFont();
    this.#terminal ??= this.#begin();
    const terminal = this.#terminal;
    const viewer = new Viewer({
      socket,
      font: this.#font,
      name: this.#o.name,
      password: this.#o.password,
      cells: () => (this.#settling ? undefined : terminal.cells()),
      applicationKeys: () => terminal.applicationKeys,
      type: (text) => this.#console?.write(text),
    });
    this.#viewers.set(socket, viewer);
    socket.once('close', () => {
      this.#viewers.delete(socket);
      if (this.#viewers.size > 0 || this.#closed) return;
      this.#cancelLinger = this.#o.clock.after(lingerMs, () => this.#rest());
    });
  }
  #begin(): Terminal {
    const terminal = new Terminal({
      onChange: () => this.#changed(),
      onAnswer: (text) => this.#console?.write(text),
    });
    this.#connect(terminal);
    this.#settling = this.#o.clock.after(firstMs, () => this.#changed());
    return terminal;
  }
  /** Many changes make one picture. */
  #changed(): void {
    this.#cancelFrame ??= this.#o.clock.after(frameMs, () => {
      this.#cancelFrame = undefined;
      this.#settling?.();
      this.#settling = undefined;
      for (const viewer of this.#viewers.values()) viewer.update();
    });
  }
  #connect(terminal: Terminal): void {
    const socket = connect(this.#o.console);
    this.#console = socket;
    socket.on('data', (bytes) => {
      socket.pause();
      void terminal.write(bytes).then(() => socket.resume());
    });
    socket.on('error', (error) => this.#o.log.debug('a console is away', { error: error.message }));
    socket.once('close', () => {
      if (this.#console !== socket) return;
      this.#console = undefined;
      this.#cancelRetry = this.#o.clock.after(retryMs, () => {
        if (this.#terminal === terminal) this.#connect(terminal);
      });
    });
  }
  /** Nobody looks any more. */
  #rest(): void {
    for (const cancel of [this.#cancelLinger, this.#cancelRetry, this.#cancelFrame, this.#settling]) cancel?.();
    this.#cancelFrame = undefined;
    this.#settling = undefined;
    const console = this.#console;
    this.#console = undefined;
    console?.destroy();
    this.#terminal?.close();
    this.#terminal = undefined;
  }
}
