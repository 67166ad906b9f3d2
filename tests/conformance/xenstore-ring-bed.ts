/**
 * A store whose guests speak over shared pages, on a hypervisor of memory. A `Machine` outlives the daemons that serve it one after the other: it may
 * kill one at any moment, or replace it, as a real host may.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { lookAtDomains, recover } from '../../src/apps/xenstored-xen.ts';
import { ManualClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { openLibc } from '../../src/xen/libc.ts';
import { Core, type CoreOptions } from '../../src/xenstore/core.ts';
import { type CoreJournal, startJournal } from '../../src/xenstore/journal.ts';
import { attach, dump, load } from '../../src/xenstore/state.ts';
import { type FakeGuest, FakeRingHost } from '../../src/xenstore/transports/fake-ring-host.ts';
import type { RingMemory } from '../../src/xenstore/transports/ring-host.ts';
import { RingLog } from '../../src/xenstore/transports/ring-log.ts';
import { createRingTransport, type RingTransport } from '../../src/xenstore/transports/ring-transport.ts';
import { MemoryLine } from './xenstore-beds.ts';
import type { Bed, Peer } from './xenstore-vectors.ts';

/** Domains come to be when they are introduced, and anew when they were released. */
class EasyHost extends FakeRingHost {
  readonly #spent = new Set<FakeGuest>();
  override map(domid: number): RingMemory {
    const guest = this.guests.get(domid);
    if (!guest || this.#spent.has(guest)) this.create(domid);
    const page = super.map(domid);
    const mapped = this.guests.get(domid) as FakeGuest;
    return {
      memory: page.memory,
      unmap: () => {
        this.#spent.add(mapped);
        page.unmap();
      },
    };
  }
}

class GuestPeer implements Peer {
  readonly guest: FakeGuest;
  readonly closed = false;
  constructor(guest: FakeGuest) {
    this.guest = guest;
  }
  send(bytes: Buffer): void {
    this.guest.send(bytes);
  }
  taken(): Buffer {
    return this.guest.received();
  }
}

/** One daemon's life. */
interface Daemon {
  readonly core: Core;
  readonly rings: RingTransport;
  readonly work: (() => void)[];
  journal: CoreJournal | undefined;
}

export class Machine implements Bed {
  readonly host: FakeRingHost;
  readonly clock = new ManualClock();
  readonly #options: Partial<CoreOptions>;
  readonly #folder: string | undefined;
  readonly #log: Log;
  #daemon: Daemon;

  /** With a `folder`, what must survive a kill is kept there. `easy`: domains need not be created before they are introduced. */
  constructor({
    folder,
    easy = true,
    log = silentLog,
    ...options
  }: Partial<CoreOptions> & { folder?: string; easy?: boolean } = {}) {
    this.host = easy ? new EasyHost() : new FakeRingHost();
    this.#options = options;
    this.#folder = folder;
    this.#log = log;
    this.#daemon = this.#start();
  }
  get core(): Core {
    return this.#daemon.core;
  }
  get rings(): RingTransport {
    return this.#daemon.rings;
  }
  async socket(): Promise<MemoryLine> {
    const line = new MemoryLine();
    line.connection = this.core.connect(line);
    return line;
  }
  guest(domid: number): FakeGuest {
    const guest = this.host.guests.get(domid);
    if (guest === undefined) throw new Error(`domain ${domid} was not introduced`);
    return guest;
  }
  ring(domid: number): GuestPeer {
    return new GuestPeer(this.guest(domid));
  }
  introduce(domid: number): FakeGuest {
    this.core.turns.run(() => this.core.introduce(domid, 0n, 10));
    return this.guest(domid);
  }
  async settled(): Promise<void> {
    this.run();
  }
  run(): void {
    const { work } = this.#daemon;
    while (this.host.waiting || work.length > 0) {
      this.host.deliver();
      for (const each of work.splice(0)) each();
    }
  }
  domainState(domid: number, state: 'dying' | 'shutdown'): void {
    this.host.change(domid, state);
  }
  breakRing(domid: number): void {
    const guest = this.guest(domid);
    guest.set('requestProducer', guest.field('requestProducer') + 5000);
    guest.ring();
  }
  async close(): Promise<void> {
    this.#daemon.journal?.close();
    this.rings.log?.close();
    this.core.close();
  }
  /** The daemon is gone from one instant to the next, and another starts. */
  killed(): void {
    this.#end();
    this.#daemon = this.#start();
  }
  /** Another program takes its place, with its descriptors. */
  replaced(): void {
    this.#daemon.journal?.flush();
    const state = JSON.parse(JSON.stringify(dump(this.core))) as ReturnType<typeof dump>;
    const records = this.rings.records();
    const bells = new Map(this.host.bells);
    this.#end();
    // Its ports stay bound: the descriptor that holds them is handed on.
    for (const [local, bell] of bells) this.host.bells.set(local, bell);
    this.#daemon = this.#daemonOf(({ core, rings }) => {
      for (const record of records) rings.inherit(record.domid, { kind: 'replaced', record });
      attach(core, load(core, state), state.connections, {});
      return undefined;
    });
  }
  #end(): void {
    this.host.close();
    this.host.bells.clear();
    this.host.mapped = 0;
    this.#daemon.work.length = 0;
    // The old one's memory is gone with it: nothing of it may run, or touch a page, any more.
    for (const domain of this.core.domains.introduced()) this.rings.ring(domain.domid)?.abandon();
    this.rings.log = undefined;
  }
  #start(): Daemon {
    const files = this.#files();
    return this.#daemonOf(({ core, rings }) =>
      files && existsSync(files.journal) ? recover(core, rings, this.host, files.journal, files.rings) : [],
    );
  }
  #files() {
    return this.#folder === undefined
      ? undefined
      : { journal: join(this.#folder, 'state.json'), rings: join(this.#folder, 'rings') };
  }
  #daemonOf(begin: (daemon: Daemon) => ReturnType<typeof recover> | undefined): Daemon {
    const work: (() => void)[] = [];
    const rings = createRingTransport(this.host, this.#log);
    const core = new Core({
      log: this.#log,
      clock: this.clock,
      later: (f) => void work.push(f),
      rings,
      ...this.#options,
    });
    const daemon: Daemon = { core, rings, work, journal: undefined };
    const kept = begin(daemon) ?? [];
    const files = this.#files();
    if (files) {
      daemon.journal = startJournal(core, files.journal, this.#log, openLibc());
      rings.log = new RingLog(files.rings, openLibc(), kept);
    }
    this.host.listen(
      (local) => rings.rung(local),
      () => lookAtDomains(core, this.host),
    );
    lookAtDomains(core, this.host);
    return daemon;
  }
}
