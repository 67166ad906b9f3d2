/** Stores to test: in process with domains that speak over fake rings, and over a real unix socket. */

import { once } from 'node:events';
import { connect } from 'node:net';
import { ManualClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { encodePacket, op, PacketReader } from '../../src/wire/xenstore.ts';
import type { Connection, Line } from '../../src/xenstore/connection.ts';
import { Core, type CoreOptions } from '../../src/xenstore/core.ts';
import type { Ring, Rings } from '../../src/xenstore/rings.ts';
import type { Bed, Peer } from './xenstore-vectors.ts';

/** One end of a connection in memory. It reads what arrives as long as `reading`. */
export class MemoryLine implements Line, Peer {
  connection: Connection | undefined;
  closed = false;
  brokenBy: string | undefined;
  /** False: nothing is taken, as of a guest that does not read. */
  reading = true;
  #arrived: Buffer[] = [];

  flush(connection: Connection): void {
    if (!this.reading) return;
    this.#arrived.push(Buffer.from(connection.output.peek()));
    connection.output.consume(connection.output.length);
  }
  /** Takes up to `bytes` of what waits. */
  read(bytes = Number.POSITIVE_INFINITY): void {
    const output = this.connection?.output;
    if (output === undefined) return;
    const n = Math.min(bytes, output.length);
    this.#arrived.push(Buffer.from(output.peek().subarray(0, n)));
    output.consume(n);
    this.connection?.drained();
  }
  resume(): void {
    // Everything that is sent is given to the connection at once: there is nothing to resume.
  }
  broken(why: string): void {
    this.brokenBy = why;
    this.closed = true;
  }
  close(): void {
    this.closed = true;
  }
  send(bytes: Buffer): void {
    // A copy, which is spoilt afterwards: the store must not keep what it was lent.
    const lent = Buffer.from(bytes);
    this.connection?.receive(lent);
    lent.fill(0xee);
  }
  taken(): Buffer {
    const all = Buffer.concat(this.#arrived);
    this.#arrived = [];
    return all;
  }
}

class FakeRing extends MemoryLine implements Ring {
  port: number;
  constructor(port: number) {
    super();
    this.port = port;
  }
  start(): void {
    this.closed = false;
  }
  rebind(port: number): void {
    this.port = port;
  }
}

export interface MemoryBed extends Bed {
  readonly core: Core;
  readonly clock: ManualClock;
  /** What the hypervisor knows beside the introduced ones. */
  readonly existing: Set<number>;
  socket(): Promise<MemoryLine>;
  ring(domid: number): MemoryLine;
  introduce(domid: number): MemoryLine;
  /** One more turn of the event loop. */
  step(): Promise<void>;
}

/** A store in process. */
export function memoryBed(options: Partial<CoreOptions> = {}): MemoryBed {
  const clock = new ManualClock();
  const rings = new Map<number, FakeRing>();
  const existing = new Set<number>();
  const work: (() => void)[] = [];
  const fake: Rings = {
    map(domid, _gfn, port, connection) {
      const ring = new FakeRing(port);
      ring.connection = connection;
      rings.set(domid, ring);
      return ring;
    },
    exists: (domid) => existing.has(domid),
  };
  const core = new Core({ log: silentLog, clock, later: (f) => void work.push(f), rings: fake, ...options });
  const ring = (domid: number) => {
    const found = rings.get(domid);
    if (found === undefined) throw new Error(`domain ${domid} was not introduced`);
    return found;
  };
  return {
    core,
    clock,
    existing,
    socket: async () => {
      const line = new MemoryLine();
      line.connection = core.connect(line);
      return line;
    },
    ring,
    introduce(domid) {
      core.turns.run(() => core.introduce(domid, 0n, 10));
      return ring(domid);
    },
    step: async () => work.shift()?.(),
    settled: async () => {
      for (let next = work.shift(); next !== undefined; next = work.shift()) next();
    },
    domainState: (domid, state) => (state === 'dying' ? core.died(domid) : core.shutDown(domid)),
    breakRing: (domid) => core.domains.find(domid)?.connection?.breakOff('protocol'),
    close: async () => core.close(),
  };
}

/** A store on a unix socket. */
export function socketBed(path: string): Bed {
  const ends: (() => Promise<void>)[] = [];
  const barriers: (() => Promise<void>)[] = [];
  return {
    async socket() {
      const socket = connect(path);
      await once(socket, 'connect');
      let arrived: Buffer[] = [];
      let closed = false;
      const reader = new PacketReader();
      let heard: (() => void) | undefined;
      const barrierId = 0x7fffff00 + barriers.length;
      socket.on('data', (chunk: Buffer) => {
        for (const packet of reader.push(chunk)) {
          if (packet.requestId === barrierId) heard?.();
          else arrived.push(encodePacket(packet.type, packet.requestId, packet.transactionId, packet.payload));
        }
      });
      socket.on('close', () => {
        closed = true;
        heard?.();
      });
      socket.on('error', () => socket.destroy());
      barriers.push(
        () =>
          new Promise((resolve) => {
            if (closed) return resolve();
            heard = resolve;
            socket.write(encodePacket(op.getDomainPath, barrierId, 0, '0\0'));
          }),
      );
      ends.push(async () => {
        if (!closed) {
          socket.destroy();
          await once(socket, 'close');
        }
      });
      return {
        send(bytes) {
          socket.write(bytes);
        },
        taken() {
          const all = Buffer.concat(arrived);
          arrived = [];
          return all;
        },
        get closed() {
          return closed;
        },
      };
    },
    // Twice: what the first round made others hear is there after the second.
    settled: async () => {
      for (let round = 0; round < 2; round++) for (const barrier of barriers) await barrier();
    },
    close: async () => {
      for (const end of ends) await end();
    },
  };
}
