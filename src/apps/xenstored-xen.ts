/**
 * The store of a Xen host: dom0's ring, guests' rings, and the unix socket that the host's tools know.
 *
 *     Xen's interfaces ─▶ tree of a predecessor, or a new one ─▶ dom0's ring ─▶ socket ─▶ ready
 *
 * dom0's kernel waits for its ring to be served before it looks for devices, so a host's boot starts this first.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { Core } from '../xenstore/core.ts';
import { createRingTransport, type RingTransport } from '../xenstore/transports/ring.ts';
import type { RingHost } from '../xenstore/transports/ring-host.ts';
import { listenSocket } from '../xenstore/transports/socket.ts';
import { openXenRingHost } from '../xenstore/transports/xen-ring-host.ts';

const folder = process.env['XENSTORED_RUNDIR'] ?? '/run/xenstored';
/** Where the host's tools look for the store. */
export const xenSocket = `${folder}/socket`;
/** Where what must survive a kill is kept: in memory, since a reboot ends every domain. */
export const xenState = `${folder}/state`;

export interface XenServiceOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** `xenSocket` unless tools are told another. */
  readonly socket: string;
  readonly state: string;
  readonly pidFile?: string | undefined;
}

export interface XenService {
  readonly core: Core;
  /** Ends the sockets and rings; guests find nobody until another is started. */
  close(): Promise<void>;
}

/** Serves this host's domains. Throws when it is no Xen host, with what is missing. */
export async function serveXen({ log, clock, socket, pidFile }: XenServiceOptions): Promise<XenService> {
  const host = openXenRingHost({ log });
  const rings = createRingTransport(host, log);
  const core = new Core({ log, clock, later: setImmediate, rings });
  attachOwnRing(core, rings, host);
  host.listen(
    (local) => rings.rung(local),
    () => lookAtDomains(core, host),
  );
  mkdirSync(dirname(socket), { recursive: true });
  const server = await listenSocket(core, socket, log);
  if (pidFile !== undefined) writeFileSync(pidFile, `${process.pid}\n`);
  return {
    core,
    async close() {
      if (pidFile !== undefined) rmSync(pidFile, { force: true });
      await server.close();
      core.close();
      host.close();
    },
  };
}

/** Serves the ring of the kernel that this program runs on, if it has one. */
export function attachOwnRing(core: Core, rings: RingTransport, host: RingHost): void {
  const { own } = host;
  if (own === undefined) return;
  core.attachZero((made) => rings.map(own.domid, 0n, own.port, made));
  rings.ring(own.domid)?.start(core.featuresOf(own.domid));
}

/** The hypervisor says that some domain changed: those that are gone are released, those that shut down are told once. */
export function lookAtDomains(core: Core, host: RingHost): void {
  for (const { domid } of core.domains.introduced()) {
    const state = host.stateOf(domid);
    if (state === 'dying' || state === 'gone') core.died(domid);
    else if (state === 'shutdown') core.shutDown(domid);
  }
}
