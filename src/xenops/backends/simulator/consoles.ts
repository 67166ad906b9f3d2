/**
 * Serial consoles of simulated guests: a boot text, READY, and a shell that echoes and knows a few words. The socket of a VM
 * stays when its domain ends and serves the next one, as far as there is room: making a socket costs more than all else of a
 * simulated start.
 */
import { existsSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../../base/clock.ts';
import type { DomainEnd } from '../../backend.ts';
import type { SimDomain } from './world.ts';

const words: Readonly<Record<string, DomainEnd['reason']>> = { poweroff: 'poweroff', reboot: 'reboot', crash: 'crash' };

/** So many sockets wait for their VM's next domain. */
const keep = 64;
interface Console {
  readonly server: Server;
  readonly path: string;
  readonly sockets: Set<Socket>;
  domain: SimDomain | undefined;
}
function hangUp(console: Console): void {
  for (const socket of console.sockets) socket.destroy();
  console.domain = undefined;
}

export class Consoles {
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #bootDelayMs: number;
  readonly #endGuest: (vm: string, end: DomainEnd) => void;
  /** By VM. */
  readonly #open = new Map<string, Console>();
  /** VMs without a domain, the one that was let go of longest ago first. */
  readonly #idle = new Set<string>();

  constructor(dir: string, clock: Clock, bootDelayMs: number, endGuest: (vm: string, end: DomainEnd) => void) {
    this.#dir = dir;
    this.#clock = clock;
    this.#bootDelayMs = bootDelayMs;
    this.#endGuest = endGuest;
  }
  socketOf(d: SimDomain): string | undefined {
    const console = this.#open.get(d.vm);
    return console?.domain && console.path;
  }
  async open(d: SimDomain): Promise<void> {
    const known = this.#open.get(d.vm);
    if (known) {
      this.#idle.delete(d.vm);
      known.domain = d;
      return;
    }
    const path = join(this.#dir, `sim-${d.vm}`);
    // What an earlier process left behind.
    if (existsSync(path)) rmSync(path);
    const server = createServer((socket) => this.#accept(console, socket));
    const console: Console = { server, path, sockets: new Set(), domain: d };
    this.#open.set(d.vm, console);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        this.#open.delete(d.vm);
        reject(error);
      });
      server.listen({ path, backlog: 16 }, resolve);
    });
  }
  /** The domain has ended. */
  drop(vm: string): void {
    const console = this.#open.get(vm);
    if (!console) return;
    hangUp(console);
    this.#idle.add(vm);
    if (this.#idle.size <= keep) return;
    const [oldest = vm] = this.#idle;
    this.#idle.delete(oldest);
    this.#open.get(oldest)?.server.close();
    this.#open.delete(oldest);
  }
  async close(): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    this.#idle.clear();
    await Promise.all(
      all.map((console) => {
        hangUp(console);
        return new Promise((resolve) => console.server.close(resolve));
      }),
    );
  }

  #accept({ domain, sockets }: Console, socket: Socket): void {
    if (domain) this.#serve(domain, socket, sockets);
    else socket.destroy();
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
