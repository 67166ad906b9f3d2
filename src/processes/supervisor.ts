/** The parent of every child process: starts, watches, restarts and stops them, and takes over those of its predecessor. */
import { type Clock, systemClock } from '../base/clock.ts';
import { type Ids, randomIds } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import {
  type Processes,
  type ProcessInfo,
  type ProcessSpec,
  processErrors,
  type processesContract,
} from '../contracts/processes.ts';
import type { Shape } from '../contracts/schema.ts';
import { Child, type ChildNeeds } from './child.ts';
import { rotateWhenLarge } from './child-log.ts';
import { Records } from './records.ts';

export interface SupervisorOptions {
  /** Where the records of the children are kept. */
  readonly folder: string;
  readonly version: string;
  readonly log: Log;
  /** Called after `shutdown` has been answered: the process should end. */
  readonly onShutdown: () => void;
  readonly clock?: Clock;
  readonly ids?: Ids;
  /** How often adopted children are looked at; 500 by default. */
  readonly adoptedCheckMs?: number;
}
type Event = Shape<typeof processesContract.event>;

/** How long children get to end at `shutdown` with `children`. */
const shutdownTimeoutMs = 10_000;
const logCheckMs = 60_000;
const longestId = 120;

export interface Supervisor extends Processes {
  /** Stops looking; children run on. */
  leave(): void;
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { log, clock = systemClock, ids = randomIds } = options;
  const records = new Records(options.folder);
  const children = new Map<string, Child>();
  const listeners = new Set<(event: Event) => void>();
  const startedAt = Math.floor(clock.now() / 1000);
  const announce = (event: Event['event'], process: ProcessInfo) => {
    for (const listener of [...listeners]) listener({ event, process });
  };
  const needs: ChildNeeds = { records, clock, ids, log, announce };
  for (const record of records.readAll(log)) children.set(record.spec.id, Child.adopt(needs, record));
  const stops = [
    repeat(clock, options.adoptedCheckMs ?? 500, () => {
      for (const child of children.values()) child.check();
    }),
    repeat(clock, logCheckMs, () => rotateLogs(children.values(), log)),
  ];
  const leave = () => {
    for (const stop of stops) stop();
    for (const child of children.values()) child.leave();
  };

  async function start(spec: ProcessSpec): Promise<ProcessInfo> {
    const before = children.get(spec.id);
    if (before?.active) throw processErrors.make('Already_running', { id: spec.id, pid: before.info().pid });
    if (spec.id === '' || spec.id.length > longestId)
      throw processErrors.make('Failed_to_start', {
        command: spec.command[0],
        reason: `its id has ${spec.id.length} characters; 1 to ${longestId} are possible`,
      });
    before?.leave();
    children.delete(spec.id);
    let reserved: Child | undefined;
    try {
      const child = await Child.start(needs, spec, (c) => {
        reserved = c;
        children.set(spec.id, c);
      });
      log.info('started', { id: spec.id, pid: child.info().pid });
      return child.info();
    } catch (error) {
      if (children.get(spec.id) === reserved) children.delete(spec.id);
      throw error;
    }
  }
  async function stat({ id }: { readonly id: string }): Promise<ProcessInfo> {
    const child = children.get(id);
    if (!child) throw processErrors.make('Does_not_exist', { id });
    child.check();
    return child.info();
  }
  async function list(): Promise<ProcessInfo[]> {
    for (const child of children.values()) child.check();
    return [...children.values()].map((child) => child.info());
  }
  async function forget({ id }: { readonly id: string }): Promise<void> {
    const child = children.get(id);
    if (child?.active) throw processErrors.make('Already_running', { id, pid: child.info().pid });
    child?.forget();
    children.delete(id);
  }
  async function shutdown(a: { readonly children: boolean }): Promise<void> {
    if (a.children) await Promise.all([...children.values()].map((child) => child.stop(shutdownTimeoutMs)));
    leave();
    clock.after(0, options.onShutdown);
  }
  return {
    process: {
      start,
      list,
      stat,
      stop: async ({ id, timeoutMs }) => children.get(id)?.stop(timeoutMs),
      kill: async ({ id }) => children.get(id)?.kill(),
      ready: async ({ id }) => children.get(id)?.ready(),
      forget,
    },
    supervisor: {
      info: async () => ({ pid: process.pid, version: options.version, startedAt }),
      shutdown,
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    leave,
  };
}

/** Calls `f` every `ms`; the answer ends it. */
function repeat(clock: Clock, ms: number, f: () => void): () => void {
  let cancel = clock.after(ms, tick);
  function tick() {
    f();
    cancel = clock.after(ms, tick);
  }
  return () => cancel();
}

function rotateLogs(children: Iterable<Child>, log: Log): void {
  for (const child of children) {
    if (!child.running) continue;
    try {
      rotateWhenLarge(child.spec.log);
    } catch (error) {
      log.warn('a log could not be put aside', { log: child.spec.log, error: String(error) });
    }
  }
}
