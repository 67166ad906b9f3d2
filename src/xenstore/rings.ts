/**
 * What the store asks of whatever maps guests' rings. The ring transport implements it on a Xen host, a fake in tests; without one,
 * `noRings` serves domains that are introduced but have no bytes to carry.
 *
 * Life of a ring, as the store drives it:
 *
 *     INTRODUCE, unknown domain     rings.map(domid, gfn, port, connection) → ring
 *                                   @introduceDomain fires; then ring.start()
 *     INTRODUCE, known domain       ring.rebind(port), connection.reset(), ring.start(); no @introduceDomain
 *     RELEASE, death                ring.close(), for ever; the same domid may be mapped again later
 *
 * What the transport tells the store (`src/xenstore/core.ts`):
 *
 *     bytes arrived                 connection.receive(…)            see connection.ts
 *     guest asks for a reconnect    connection.reset(), indices zeroed by the transport
 *     VIRQ_DOM_EXC                  for each domid of core.domains.introduced(): core.domains.died(domid) when it is gone or dying,
 *                                   core.domains.shutDown(domid) when its shutdown flag is set (told any number of times)
 */
import type { Connection, Line } from './connection.ts';

/** One domain's mapped ring and its bound event channel. */
export interface Ring extends Line {
  /** Serve from now on: write `server_features`, take back a pending reconnect request, read what the ring already holds. */
  start(features: number): void;
  /** The guest has another event channel now; the page stays. Throws `RingError` when it cannot be bound. */
  rebind(port: number): void;
  /** The remote port that is bound now: the page may have named another one than INTRODUCE did. */
  readonly port: number;
}

export interface Rings {
  /**
   * Maps the domain's page (grant 1; `gfn` for transports that map by frame) and binds `port`. Nothing is read before `start`.
   * Throws `RingError` when it cannot; the caller is answered EINVAL.
   */
  map(domid: number, gfn: bigint, port: number, connection: Connection): Ring;
  /** Whether there is such a domain, introduced or not, that is not dying: rights may be given to it. */
  exists(domid: number): boolean;
}

/** A ring could not be mapped or bound. */
export class RingError extends Error {
  override readonly name = 'RingError';
}

/** For a store without a hypervisor: INTRODUCE works, nothing is carried; a domain exists when it was introduced. */
export const noRings: Rings = {
  map: (_domid, _gfn, port) => {
    let bound = port;
    return {
      get port() {
        return bound;
      },
      rebind(next) {
        bound = next;
      },
      start: () => undefined,
      flush: (connection) => connection.output.consume(connection.output.length),
      resume: () => undefined,
      broken: () => undefined,
      close: () => undefined,
    };
  },
  exists: () => false,
};
