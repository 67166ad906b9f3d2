/** Simulated guests on their way between domains: streams that end with their process, and a watch that none goes on twice. */
import type { Ids } from '../../../base/ids.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { SimDomain, SimTransfer, SimWorld } from './world.ts';

/** The receiving end of a stream. */
export interface Wire {
  readonly sent: (guest: SimTransfer) => void;
  readonly cut: (why: Error) => void;
  readonly guest: Promise<SimTransfer>;
}
const failed = (reason: string) => xenopsErrors.make('Io_error', { reason });

export class Moves {
  readonly #world: SimWorld;
  readonly #ids: Ids;
  readonly #wires: Map<string, Wire>;
  /** The streams of this process, by domain. */
  readonly #mine = new Map<string, string>();

  constructor(world: SimWorld, ids: Ids, wires: Map<string, Wire>) {
    this.#world = world;
    this.#ids = ids;
    this.#wires = wires;
  }
  listen(vm: string): string {
    const known = this.#mine.get(vm);
    if (known !== undefined) return known;
    const address = `sim:${this.#ids.uuid()}`;
    const { promise, resolve, reject } = Promise.withResolvers<SimTransfer>();
    // Nobody may be reading when it is cut.
    promise.catch(() => undefined);
    this.#wires.set(address, { sent: resolve, cut: reject, guest: promise });
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
  send(d: SimDomain, address: string, signal?: AbortSignal): void {
    if (d.moved?.address === address) return;
    signal?.throwIfAborted();
    const wire = this.#wires.get(address);
    if (!wire) throw failed(`nobody listens at ${address}`);
    const { vm, startedAt, memoryTarget, vcpus } = d;
    d.moved = { address, vm, startedAt, memoryTarget, vcpus, vbds: [...d.vbds.keys()] };
    d.power = 'paused';
    wire.sent(d.moved);
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
