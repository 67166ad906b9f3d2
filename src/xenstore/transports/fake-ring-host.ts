/**
 * A hypervisor of nothing but memory, for tests and fuzzing: pages, bells, domains that live and die, and guests that speak the
 * ring's protocol as well or as badly as they are told. Bells are delivered by `deliver`, so a run repeats exactly.
 */
import type { DomainState, RingHost, RingMemory } from './ring-host.ts';
import { ringSize } from './ring-page.ts';

interface Bell {
  readonly domid: number;
  readonly port: number;
}

export class FakeRingHost implements RingHost {
  own: { domid: number; port: number } | undefined;
  readonly guests = new Map<number, FakeGuest>();
  /** Pages that are mapped now, and ports that are bound: both are 0 when nothing leaks. */
  mapped = 0;
  readonly bells = new Map<number, Bell>();
  readonly #rung = new Set<number>();
  #nextLocal = 1;
  #changed = false;
  #onRung: (local: number) => void = () => undefined;
  #onChange: () => void = () => undefined;

  /** A new domain with an empty page; one that had the same number is gone. */
  create(domid: number): FakeGuest {
    const guest = new FakeGuest(this, domid);
    this.guests.set(domid, guest);
    return guest;
  }
  /** The hypervisor tells that the domain is in another state. */
  change(domid: number, state: DomainState): void {
    const guest = this.guests.get(domid);
    if (guest) guest.state = state;
    this.#changed = true;
  }
  /** Hands over the bells that rang, and those that ring because of that; answers how many. At most `most`. */
  deliver(most = 10_000): number {
    let told = 0;
    while (told < most) {
      if (this.#changed) {
        this.#changed = false;
        this.#onChange();
      }
      const [local] = this.#rung;
      if (local === undefined) return told;
      this.#rung.delete(local);
      told++;
      this.#onRung(local);
    }
    return told;
  }
  get waiting(): boolean {
    return this.#rung.size > 0 || this.#changed;
  }
  /** A guest rings its `port`. */
  ringFromGuest(domid: number, port: number): void {
    for (const [local, bell] of this.bells) if (bell.domid === domid && bell.port === port) this.#rung.add(local);
  }

  map(domid: number): RingMemory {
    const guest = this.guests.get(domid);
    if (!guest || guest.state === 'gone') throw new Error(`there is no domain ${domid}`);
    this.mapped++;
    const { memory } = guest;
    return {
      memory,
      unmap: () => {
        this.mapped--;
        // Whoever still holds the page finds it detached, which throws, where real memory would end the process.
        guest.memory = memory.transfer();
      },
    };
  }
  bind(domid: number, port: number): number {
    const guest = this.guests.get(domid);
    if (!guest || guest.state === 'gone' || port === 0)
      throw new Error(`port ${port} of domain ${domid} cannot be bound`);
    const local = this.#nextLocal++;
    this.bells.set(local, { domid, port });
    // The hypervisor rings a channel that is bound.
    this.#rung.add(local);
    return local;
  }
  unbind(local: number): void {
    if (!this.bells.delete(local)) throw new Error(`port ${local} is not bound`);
    this.#rung.delete(local);
  }
  notify(local: number): boolean {
    const bell = this.bells.get(local);
    const guest = bell && this.guests.get(bell.domid);
    if (!guest || guest.state === 'gone') return false;
    guest.rung();
    return true;
  }
  stateOf(domid: number): DomainState {
    return this.guests.get(domid)?.state ?? 'gone';
  }
  listen(rung: (local: number) => void, domainsChanged: () => void): void {
    this.#onRung = rung;
    this.#onChange = domainsChanged;
  }
  close(): void {
    this.listen(
      () => undefined,
      () => undefined,
    );
  }
}

/** Offsets of the page's u32 fields, in units of u32. */
export const pageField = {
  requestConsumer: 512,
  requestProducer: 513,
  replyConsumer: 514,
  replyProducer: 515,
  features: 516,
  connection: 517,
  error: 518,
  port: 519,
} as const;

/** The guest's end of a ring: a proper driver, whose page may also be spoiled by hand. */
export class FakeGuest {
  readonly domid: number;
  readonly #host: FakeRingHost;
  port = 10;
  memory = new ArrayBuffer(4096);
  state: DomainState = 'running';
  /** Whether the driver reads replies when it is rung. */
  reads = true;
  /** Times that the store rang. */
  rings = 0;
  #received: Buffer[] = [];
  #toSend: Buffer = Buffer.alloc(0);

  constructor(host: FakeRingHost, domid: number) {
    this.#host = host;
    this.domid = domid;
  }
  get u32(): Uint32Array {
    return new Uint32Array(this.memory);
  }
  field(name: keyof typeof pageField): number {
    return Atomics.load(this.u32, pageField[name]);
  }
  set(name: keyof typeof pageField, value: number): void {
    Atomics.store(this.u32, pageField[name], value >>> 0);
  }
  /**
   * Sends `bytes`, now or as room comes. As Linux does, it rings only when the ring was empty before, and after reading only when the
   * ring of replies was full.
   */
  send(bytes: Uint8Array): void {
    this.#toSend = Buffer.concat([this.#toSend, bytes]);
    if (this.#push()) this.ring();
  }
  ring(): void {
    this.#host.ringFromGuest(this.domid, this.port);
  }
  /** Bytes that were not taken by the ring yet. */
  get unsent(): number {
    return this.#toSend.length;
  }
  /** The store rang. */
  rung(): void {
    this.rings++;
    if (!this.reads) return;
    const full = this.pull() === ringSize;
    if (this.#push() || full) this.ring();
  }
  /** Reads replies out of the ring; answers how many bytes. */
  pull(): number {
    const consumer = this.field('replyConsumer');
    const count = (this.field('replyProducer') - consumer) >>> 0;
    if (count === 0 || count > ringSize) return 0;
    const bytes = Buffer.alloc(count);
    const page = new Uint8Array(this.memory);
    for (let i = 0; i < count; i++) bytes[i] = page[ringSize + ((consumer + i) & (ringSize - 1))] as number;
    this.set('replyConsumer', consumer + count);
    this.#received.push(bytes);
    return count;
  }
  /** What was received since the last call. */
  received(): Buffer {
    const all = Buffer.concat(this.#received);
    this.#received = [];
    return all;
  }
  /** Forgets what was to be sent. */
  abandon(): void {
    this.#toSend = Buffer.alloc(0);
  }
  /** True when the store must be told. */
  #push(): boolean {
    const producer = this.field('requestProducer');
    const used = (producer - this.field('requestConsumer')) >>> 0;
    const count = Math.min(this.#toSend.length, used > ringSize ? 0 : ringSize - used);
    if (count === 0) return false;
    const page = new Uint8Array(this.memory);
    for (let i = 0; i < count; i++) page[(producer + i) & (ringSize - 1)] = this.#toSend[i] as number;
    this.#toSend = this.#toSend.subarray(count);
    this.set('requestProducer', producer + count);
    return used === 0;
  }
}
