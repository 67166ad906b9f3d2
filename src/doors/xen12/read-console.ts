/**
 * `xen_read_console`: every line that any guest says, with its domain in front. (The original got each line as a datagram; here the
 * guests' consoles are read, so that nothing need listen in the guests' network.)
 */
import { connect, type Socket } from 'node:net';
import type { VmEntry } from '../../contracts/xenops.ts';
import type { Tools } from './io.ts';

/** A line is printed at its end, or when it is this long. */
const longest = 256;

/** Runs until `signal` is aborted. */
export async function readConsoles(t: Tools & { readonly signal: AbortSignal }): Promise<number> {
  const followed = new Map<string, Follower>();
  const look = (id: string, vm: VmEntry | null) => {
    const socket = vm?.state.consoles.find((c) => c.protocol === 'vt100')?.socket;
    const before = followed.get(id);
    if (before && before.socket === socket && before.dom === vm?.state.domid) return;
    before?.close();
    followed.delete(id);
    if (vm && socket !== undefined) followed.set(id, new Follower(socket, vm.state.domid, t.out));
  };
  const unwatch = t.xenops.watch((event) => look(event.id, event.vm));
  for (const vm of await t.xenops.vm.list({})) look(vm.spec.id, vm);
  await new Promise<void>((resolve) => {
    t.signal.addEventListener('abort', () => resolve(), { once: true });
    if (t.signal.aborted) resolve();
  });
  unwatch();
  for (const follower of followed.values()) follower.close();
  return 0;
}

class Follower {
  readonly socket: string;
  readonly dom: number;
  readonly #connection: Socket;
  #line = '';

  constructor(socket: string, dom: number, out: (text: string) => void) {
    this.socket = socket;
    this.dom = dom;
    this.#connection = connect(socket);
    this.#connection.on('error', () => this.#connection.destroy()); // the guest has ended; an event tells of the next one
    this.#connection.on('data', (bytes) => {
      for (const byte of bytes) this.#take(byte, out);
    });
  }
  close(): void {
    this.#connection.destroy();
  }
  /** What a terminal might misunderstand is left out. */
  #take(byte: number, out: (text: string) => void): void {
    if (byte >= 32 && byte <= 126) this.#line += String.fromCharCode(byte);
    if (byte !== 10 && this.#line.length < longest) return;
    out(`[${this.dom}] ${this.#line}\n`);
    this.#line = '';
  }
}
