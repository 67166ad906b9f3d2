/** Simulated guests on their way between domains: streams that end with their process, and a watch that none goes on twice. */
import type { Ids } from '../../../base/ids.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import { wiresIn } from './socket-wires.ts';
import type { SimDomain, SimTransfer, SimWorld } from './world.ts';

/** The receiving end of a stream. */
export interface Wire {
  readonly sent: (guest: SimTransfer) => void | Promise<void>;
  readonly cut: (why: Error) => void;
  readonly guest: Promise<SimTransfer>;
}
/** The receiving ends by address. A `Map` is a network between simulators of one process. */
export interface Wires {
  get(address: string): Wire | undefined;
  set(address: string, wire: Wire): unknown;
  delete(address: string): unknown;
  /** Where a new end is; any text when absent. */
  address?(id: string): string;
}
const failed = (reason: string) => xenopsErrors.make('Io_error', { reason });

export class Moves {
  readonly #world: SimWorld;
  readonly #ids: Ids;
  readonly #wires: Wires;
  /** The streams of this process, by domain. */
  readonly #mine = new Map<string, string>();

  /** `wires`: or the folder of their sockets; absent, guests move within this process. */
  constructor(world: SimWorld, ids: Ids, wires: Wires | string | undefined) {
    this.#world = world;
    this.#ids = ids;
    this.#wires = typeof wires === 'object' ? wires : wiresIn(wires);
  }
  async listen(vm: string): Promise<string> {
    const known = this.#mine.get(vm);
    if (known !== undefined) return known;
    const id = this.#ids.uuid();
    const address = this.#wires.address?.(id) ?? `sim:${id}`;
    const { promise, resolve, reject } = Promise.withResolvers<SimTransfer>();
    // Nobody may be reading when it is cut.
    promise.catch(() => undefined);
    await this.#wires.set(address, { sent: resolve, cut: reject, guest: promise });
    this.#mine.set(vm, address);
    return address;
  }
  /** The domain is gone. */
  cut(vm: string): void {
    const address = this.#mine.get(vm);
    if (address === undefined) return;
    this.#wires.get(address)?.cut(failed('the domain was destroyed'));
    this.#wires.delete(address);
    this.#mine.delete(vm);
  }
  /** The guest stands still afterwards. */
  async send(d: SimDomain, address: string, signal?: AbortSignal): Promise<void> {
    if (d.moved?.address === address) return;
    signal?.throwIfAborted();
    const wire = this.#wires.get(address);
    if (!wire) throw failed(`nobody listens at ${address}`);
    const { vm, startedAt, memoryTarget, vcpus } = d;
    const was = d.power;
    d.moved = { address, vm, startedAt, memoryTarget, vcpus, vbds: [...d.vbds.keys()] };
    d.power = 'paused';
    try {
      await wire.sent(d.moved);
    } catch (error) {
      delete d.moved;
      d.power = was;
      throw failed(`nobody takes the guest at ${address}: ${String(error)}`);
    }
  }
  /** Answers the guest that arrives. */
  async receive(d: SimDomain, address: string, signal?: AbortSignal): Promise<SimTransfer> {
    const wire = this.#wires.get(address);
    if (!wire) throw failed(`${address} is not the end of a stream`);
    signal?.throwIfAborted();
    const stop = () => wire.cut(signal?.reason as Error);
    signal?.addEventListener('abort', stop, { once: true });
    const guest = await wire.guest.finally(() => signal?.removeEventListener('abort', stop));
    if (this.#world.domains.get(d.vm) !== d) throw failed('the domain was destroyed');
    if ([...d.vbds.keys()].sort().join() !== guest.vbds.toSorted().join())
      throw failed(`the guest of ${guest.vm} has other devices`);
    return guest;
  }
  /** A guest that was moved goes on in one domain only. */
  goOn(d: SimDomain): void {
    if (!d.moved) return;
    const here = `${this.#world.name}/${d.domid}`;
    d.moved.wentOnIn ??= here;
    if (d.moved.wentOnIn !== here) this.#world.violations.push(`${d.moved.vm} went on in two domains`);
  }
  /** The domain of `from` is that of `to`. Already_exists. */
  rename(from: string, to: string): SimDomain | undefined {
    const { domains } = this.#world;
    const d = domains.get(from);
    if (!d) return undefined;
    if (domains.has(to)) throw xenopsErrors.make('Already_exists', { what: 'domain of', id: to });
    domains.delete(from);
    d.vm = to;
    d.spec = { ...d.spec, id: to };
    domains.set(to, d);
    return d;
  }
}
