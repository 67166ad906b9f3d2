/**
 * The store of a Xen host: dom0's ring, guests' rings, and the unix socket that the host's tools know.
 *
 *     Xen's interfaces ─▶ what a predecessor left, or a new tree ─▶ rings ─▶ socket ─▶ ready
 *                              ├ replaced: everything, with its descriptors
 *                              └ killed: tree, watches of rings, what was under way on them; the tools' sockets are gone
 *
 * dom0's kernel waits for its ring to be served before it looks for devices, so a host's boot starts this first.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { LiveUpdate } from '../xenstore/control.ts';
import { Core } from '../xenstore/core.ts';
import { readJournal, startJournal } from '../xenstore/journal.ts';
import { attach, type ConnectionRecord } from '../xenstore/state.ts';
import type { RingHost } from '../xenstore/transports/ring-host.ts';
import { RingLog, type RingState, readRingLog } from '../xenstore/transports/ring-log.ts';
import { createRingTransport, type RingTransport } from '../xenstore/transports/ring-transport.ts';
import { listenSocket } from '../xenstore/transports/socket.ts';
import { openXenRingHost } from '../xenstore/transports/xen-ring-host.ts';
import { fileLog } from './file-log.ts';
import { type Handover, liveUpdater, takeOver } from './xenstored-successor.ts';

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
  /** What a predecessor in the same process handed over. */
  readonly handover?: Handover | undefined;
}

export interface XenService {
  readonly core: Core;
  /** Ends the sockets and rings; guests find nobody until another is started. */
  close(): Promise<void>;
}

/** Serves this host's domains. Throws when it is no Xen host, with what is missing. */
export async function serveXen(options: XenServiceOptions): Promise<XenService> {
  const { log, clock, socket, state, pidFile, handover } = options;
  const host = openHost(log, handover);
  const rings = createRingTransport(host, log);
  let update: LiveUpdate | undefined;
  const liveUpdate: LiveUpdate = (args) => update?.(args) ?? 'BUSY';
  const openLogFile = (file: string) => fileLog('xenstored', file, log);
  const core = new Core({ log, clock, later: setImmediate, rings, liveUpdate, openLogFile });
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const journalFile = join(state, 'state.json');
  const ringFile = join(state, 'rings');
  let kept: RingState[] = [];
  if (handover === undefined) kept = recover(core, rings, host, journalFile, ringFile);
  else {
    for (const record of handover.xen?.rings ?? []) rings.inherit(record.domid, { kind: 'replaced', record });
    takeOver(core, handover, host.libc, zeroOf(rings, host));
  }
  const journal = startJournal(core, journalFile, log, host.libc);
  rings.log = new RingLog(ringFile, host.libc, kept);
  host.listen(
    (local) => rings.rung(local),
    () => lookAtDomains(core, host),
  );
  // A domain may have died or shut down while nobody looked.
  lookAtDomains(core, host);
  mkdirSync(dirname(socket), { recursive: true });
  const server = await listenSocket(core, socket, log, handover?.listening);
  update = liveUpdater({
    core,
    log,
    libc: () => host.libc,
    server,
    folder: state,
    xen: { fd: host.fd, virq: host.virq, rings: () => rings.records() },
    flush: () => journal.flush(),
  });
  if (pidFile !== undefined) writeFileSync(pidFile, `${process.pid}\n`);
  return {
    core,
    async close() {
      if (pidFile !== undefined) rmSync(pidFile, { force: true });
      await server.close();
      // What a successor finds is the store as it is now, not an empty one.
      journal.close();
      rings.log?.close();
      rings.log = undefined;
      core.close();
      host.close();
    },
  };
}

function openHost(log: Log, handover: Handover | undefined): ReturnType<typeof openXenRingHost> {
  try {
    return openXenRingHost({ log, inherited: handover?.xen });
  } catch (error) {
    const why = (error as Error).message;
    const hint = 'a host has one store, in dom0; for a store without Xen: xenstored --socket PATH';
    throw new Error(`the domains of this host cannot be served: ${why}; ${hint}`, { cause: error });
  }
}

/** Goes on with what a killed predecessor left, if there was one; answers what it had kept of its rings. */
export function recover(
  core: Core,
  rings: RingTransport,
  host: RingHost,
  journalFile: string,
  ringFile: string,
): RingState[] {
  const recovered = readJournal(core, journalFile);
  if (recovered === undefined) {
    attachOwnRing(core, rings, host);
    return [];
  }
  const kept = readRingLog(ringFile);
  const records = new Map<number, ConnectionRecord>(recovered.connections.map((each) => [each.domid, each]));
  for (const state of kept.values()) {
    const { domid, nextTransaction } = state;
    rings.inherit(domid, { kind: 'killed', state });
    const record = records.get(domid) ?? { id: 0, domid, ring: true, watches: [] };
    // They go on with a new snapshot and end as if they had met a conflict: their owners begin again.
    const transactions = state.transactions.map((id) => ({ id, doomed: true, effects: [], seen: [] }));
    records.set(domid, { ...record, nextTransaction, transactions });
  }
  attach(core, recovered.lives, [...records.values()], zeroOf(rings, host));
  return [...kept.values()];
}

const zeroOf = (rings: RingTransport, { own }: RingHost) => (own ? { zero: rings.mapperOf(own) } : {});

/** Serves the ring of the kernel that this program runs on, if it has one. */
export function attachOwnRing(core: Core, rings: RingTransport, host: RingHost): void {
  const { own } = host;
  if (own === undefined) return;
  core.attachZero(rings.mapperOf(own));
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
