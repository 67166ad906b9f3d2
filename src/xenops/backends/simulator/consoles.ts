/** Serial consoles of simulated guests: a boot text, READY, and a shell that echoes and knows a few words. */
import { existsSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../../base/clock.ts';
import type { DomainEnd } from '../../backend.ts';
import type { SimDomain } from './world.ts';

const words: Readonly<Record<string, DomainEnd['reason']>> = { poweroff: 'poweroff', reboot: 'reboot', crash: 'crash' };

export class Consoles {
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #bootDelayMs: number;
  readonly #endGuest: (vm: string, end: DomainEnd) => void;
  readonly #open = new Map<string, { server: Server; path: string; sockets: Set<Socket> }>();

  constructor(dir: string, clock: Clock, bootDelayMs: number, endGuest: (vm: string, end: DomainEnd) => void) {
    this.#dir = dir;
    this.#clock = clock;
    this.#bootDelayMs = bootDelayMs;
    this.#endGuest = endGuest;
  }
  socketOf(d: SimDomain): string | undefined {
    return this.#open.get(d.vm)?.path;
  }
  async open(d: SimDomain): Promise<void> {
    if (this.#open.has(d.vm)) return;
    const path = join(this.#dir, `sim-${d.vm}`);
    // What an earlier process left behind.
    if (existsSync(path)) rmSync(path);
    const sockets = new Set<Socket>();
    const server = createServer((socket) => this.#serve(d, socket, sockets));
    this.#open.set(d.vm, { server, path, sockets });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path, backlog: 16 }, resolve);
    });
  }
  async drop(vm: string): Promise<void> {
    const console = this.#open.get(vm);
    if (!console) return;
    this.#open.delete(vm);
    for (const socket of console.sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      console.server.close(() => resolve());
    });
  }
  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((vm) => this.drop(vm)));
  }

  #serve(d: SimDomain, socket: Socket, sockets: Set<Socket>): void {
    sockets.add(socket);
    const left = d.startedAt * 1000 + this.#bootDelayMs - this.#clock.now();
    socket.write(`Simulated guest ${d.spec.name}, domain ${d.domid}\r\nBooting\r\n`);
    const cancel = this.#clock.after(Math.max(0, left), () => socket.write('READY\r\n# '));
    socket.once('close', () => {
      cancel();
      sockets.delete(socket);
    });
    // A client that goes away in the middle of a line is no event for the guest.
    socket.on('error', () => socket.destroy());
    let line = '';
    socket.on('data', (bytes) => {
      for (const c of bytes.toString('latin1')) {
        if (c !== '\r' && c !== '\n') {
          line = line.length < 1024 ? line + c : line;
          socket.write(c);
        } else if (c === '\r' || line !== '') {
          const typed = line.trim();
          line = '';
          socket.write('\r\n');
          this.#obey(d, typed, socket);
        }
      }
    });
  }
  #obey(d: SimDomain, typed: string, socket: Socket): void {
    const reason = words[typed];
    if (reason) {
      this.#endGuest(d.vm, { reason, detail: `"${typed}" was typed on its console` });
      return;
    }
    if (typed.startsWith('echo ')) socket.write(`${typed.slice(5)}\r\n`);
    else if (typed !== '') socket.write(`${typed}: the simulated shell knows echo, poweroff, reboot, crash\r\n`);
    socket.write('# ');
  }
}
