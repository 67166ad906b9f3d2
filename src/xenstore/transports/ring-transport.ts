/** All rings of a host: by the port that rings, and by domain. */
import type { Log } from '../../base/log.ts';
import type { Connection } from '../connection.ts';
import type { Ring, Rings } from '../rings.ts';
import { GuestRing, type Heritage, orRingError, type RingNeeds, type RingRecord } from './ring.ts';
import type { RingHost } from './ring-host.ts';
import type { RingLog } from './ring-log.ts';

export interface RingTransport extends Rings {
  /** A bell rang. */
  rung(local: number): void;
  ring(domid: number): GuestRing | undefined;
  /** Makes the ring of `own`, the kernel that this program runs on, for its connection. */
  mapperOf(own: { readonly domid: number; readonly port: number }): (connection: Connection) => Ring;
  /** The next ring of this domain goes on with what its predecessor left. */
  inherit(domid: number, heritage: Heritage): void;
  /** Everything that serves now, for a successor. */
  records(): RingRecord[];
  /** From now on what a kill would lose is kept. */
  log: RingLog | undefined;
}

export function createRingTransport(host: RingHost, log: Log): RingTransport {
  const byLocal = new Map<number, GuestRing>();
  const byDomain = new Map<number, GuestRing>();
  const heritages = new Map<number, Heritage>();
  const needs: RingNeeds = {
    host,
    log,
    bound: (ring, local) => void byLocal.set(local, ring),
    unbound: (local) => void byLocal.delete(local),
    keep(state) {
      try {
        transport.log?.keep(state);
      } catch (error) {
        // Serving on is better than stopping every guest's devices.
        log.error('a kill would lose what is under way on a ring', { domid: state.domid, error: String(error) });
      }
    },
    closed(ring) {
      if (byDomain.get(ring.domid) !== ring) return;
      byDomain.delete(ring.domid);
      transport.log?.forget(ring.domid);
    },
  };
  const transport: RingTransport = {
    log: undefined,
    map(domid, _gfn, port, connection) {
      const heritage = heritages.get(domid);
      heritages.delete(domid);
      const memory = orRingError(`domain ${domid}: its page cannot be mapped`, () => host.map(domid));
      const ring = new GuestRing(needs, domid, memory, connection, heritage);
      try {
        if (heritage?.kind === 'replaced') ring.goOn(heritage.record.port, heritage.record.local);
        else ring.bind(port);
      } catch (error) {
        ring.close();
        throw error;
      }
      byDomain.set(domid, ring);
      return ring;
    },
    exists(domid) {
      const state = host.stateOf(domid);
      return state === 'running' || state === 'shutdown';
    },
    rung: (local) => byLocal.get(local)?.rung(),
    ring: (domid) => byDomain.get(domid),
    mapperOf: (own) => (connection) => transport.map(own.domid, 0n, own.port, connection),
    inherit: (domid, heritage) => void heritages.set(domid, heritage),
    records: () => [...byDomain.values()].map((ring) => ring.record),
  };
  return transport;
}
