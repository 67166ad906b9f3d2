/** What the parts of the domain manager share. Made once by `server.ts`. */
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Ground } from './atomics.ts';
import type { Backend } from './backend.ts';
import type { Ends } from './ends.ts';
import type { Farewells } from './farewells.ts';
import type { Hooks } from './hooks.ts';
import type { Incoming } from './incoming.ts';
import type { VmQueue } from './queue.ts';
import type { Reconciler } from './reconcile.ts';
import type { Records } from './records.ts';
import type { Reservations } from './reservations.ts';
import type { RunOptions } from './run.ts';

/** How guests that end by themselves are kept from restarting in a loop. */
export interface RestartLimits {
  /** A guest that crashes sooner than this after its start is not started again. */
  readonly crashWindowS: number;
  /** A guest that reboots sooner than this after its start … */
  readonly rebootWindowS: number;
  /** … is started again only after this delay. */
  readonly rebootDelayS: number;
}
export interface Core {
  readonly backend: Backend;
  readonly ground: Ground;
  readonly records: Records;
  readonly queue: VmQueue;
  readonly reservations: Reservations;
  readonly reconciler: Reconciler;
  readonly ends: Ends;
  readonly incoming: Incoming;
  readonly farewells: Farewells;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly limits: RestartLimits;
  /** Programs of the host's owner around operations. */
  readonly hooks?: Hooks | undefined;
  /** The host's present boot; '' when unknown. */
  readonly boot: string;
  /** Aborted when the domain manager closes. */
  readonly closing: AbortSignal;
  /** A domain number that nobody has. */
  nextDomid(): number;
  /** For tests: handed to every run of a plan. */
  readonly probe?: Pick<RunOptions, 'before' | 'times'> | undefined;
}
/** Seconds since the epoch. */
export const nowS = (core: { readonly clock: Clock }): number => core.clock.now() / 1000;
