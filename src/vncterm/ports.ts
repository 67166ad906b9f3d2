/**
 * Guests' screens on TCP ports of the host, 5900 + display, for VMs whose platform asks for it:
 *
 *     vnc        `true`
 *     vnclisten  `ADDRESS` (127.0.0.1 when absent): the first free display from 1 on; `ADDRESS:DISPLAY`: that one
 *     vncpasswd  who connects must know it
 *
 *     no screen ──it runs and asks──▶ listening ──it ends, or asks for something else──▶ no screen
 *         └── the port is busy, the address is not ours ──▶ told in the log; tried again when something about the VM changes
 */
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { VmEntry, Xenops } from '../contracts/xenops.ts';
import { admit } from './gate.ts';

export interface PortsOptions {
  readonly xenops: Pick<Xenops, 'vm' | 'watch'>;
  readonly clock: Clock;
  readonly log: Log;
}
export interface ScreenPorts {
  /** The TCP port of a VM's screen. */
  portOf(vm: string): number | undefined;
  close(): Promise<void>;
}
const firstPort = 5900;
const lastDisplay = 99;

interface Wanted {
  readonly socket: string;
  readonly host: string;
  readonly display: number | undefined;
  readonly password: string | undefined;
}
interface Opened {
  readonly key: string;
  readonly server: Server;
  readonly viewers: Set<Socket>;
}

/** Follows the domain manager; resolves when the screens of what runs already are open. */
export async function openScreenPorts(o: PortsOptions): Promise<ScreenPorts> {
  const ports = new Ports(o);
  const unwatch = o.xenops.watch(({ id, vm }) => void ports.settle(id, vm ?? undefined));
  for (const vm of await o.xenops.vm.list({})) void ports.settle(vm.spec.id, vm);
  await ports.settled;
  return {
    portOf: (vm) => ports.portOf(vm),
    async close() {
      unwatch();
      await ports.close();
    },
  };
}
/** Undefined: it has no screen, or does not ask. Throws a sentence for what cannot be understood. */
export function wantedScreen({ spec, state }: VmEntry): Wanted | undefined {
  const { vnc, vnclisten = '', vncpasswd } = spec.platform;
  const socket = state.consoles.find((c) => c.protocol === 'rfb')?.socket;
  if (vnc !== 'true' || socket === undefined) return undefined;
  const split = isIPv6(vnclisten) ? null : /^(.*):([0-9]{1,5})$/s.exec(vnclisten);
  const host = (split?.[1] ?? vnclisten).replace(/^\[|\]$/g, '') || '127.0.0.1';
  const display = split ? Number(split[2]) : undefined;
  if (display !== undefined && display > 65_535 - firstPort)
    throw new Error(`platform:vnclisten: display ${display} is not between 0 and ${65_535 - firstPort}`);
  return { socket, host, display, password: vncpasswd };
}

class Ports {
  readonly #o: PortsOptions;
  readonly #open = new Map<string, Opened>();
  #closed = false;
  /** One after the other, so that who comes first gets the lower port. */
  settled: Promise<void> = Promise.resolve();

  constructor(o: PortsOptions) {
    this.#o = o;
  }
  portOf(vm: string): number | undefined {
    const address = this.#open.get(vm)?.server.address();
    return typeof address === 'object' ? address?.port : undefined;
  }
  settle(id: string, vm: VmEntry | undefined): Promise<void> {
    this.settled = this.settled
      .then(() => this.#settle(id, vm))
      .catch((error: Error) => this.#o.log.warn('the screen of a VM has no port', { vm: id, error: error.message }));
    return this.settled;
  }
  async close(): Promise<void> {
    this.#closed = true;
    await this.settled;
    for (const id of [...this.#open.keys()]) this.#shut(id);
  }
  async #settle(id: string, vm: VmEntry | undefined): Promise<void> {
    if (this.#closed) return;
    const before = this.#open.get(id);
    let wanted: Wanted | undefined;
    try {
      wanted = vm && wantedScreen(vm);
    } finally {
      if (before && before.key !== keyOf(wanted, vm)) this.#shut(id);
    }
    if (!wanted || this.#open.has(id)) return;
    const viewers = new Set<Socket>();
    const server = createServer((viewer) => this.#admit(viewer, viewers, wanted));
    await listen(server, wanted);
    this.#open.set(id, { key: keyOf(wanted, vm), server, viewers });
    this.#o.log.info('a screen is open', { vm: id, host: wanted.host, port: this.portOf(id) });
  }
  #admit(viewer: Socket, viewers: Set<Socket>, { socket, password }: Wanted): void {
    viewers.add(viewer);
    viewer.once('close', () => viewers.delete(viewer));
    viewer.on('error', () => viewer.destroy()); // a viewer may go away at any time
    admit(viewer, socket, password, this.#o.clock).catch((error: Error) => {
      this.#o.log.debug('a viewer was not let in', { from: viewer.remoteAddress, error: error.message });
      viewer.destroySoon();
    });
  }
  #shut(id: string): void {
    const opened = this.#open.get(id);
    this.#open.delete(id);
    opened?.server.close();
    for (const viewer of opened?.viewers ?? []) viewer.destroy();
  }
}
/** Viewers of an earlier run of the guest are not kept. */
const keyOf = (wanted: Wanted | undefined, vm: VmEntry | undefined): string =>
  JSON.stringify([wanted ?? null, vm?.state.domid]);

async function listen(server: Server, { host, display }: Wanted): Promise<void> {
  const last = display ?? lastDisplay;
  for (let n = display ?? 1; ; n++) {
    try {
      await listenOn(server, host, firstPort + n);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || n >= last) throw error;
    }
  }
}
const listenOn = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
