/** The parent of every child process: starts, watches, restarts and stops them, and takes over those of its predecessor. */
import { type Clock, systemClock } from '../base/clock.ts';
import { type Ids, randomIds } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import {
  type Processes,
  type ProcessGroup,
  type ProcessInfo,
  type ProcessSpec,
  processErrors,
  type processesContract,
} from '../contracts/processes.ts';
import type { Shape } from '../contracts/schema.ts';
import type { Child } from './child.ts';
import { type Grown, limitGrowth, rotateWhenLarge } from './child-log.ts';
import { Records } from './records.ts';
import type { World } from './strategy.ts';
import { defaultStopMs, Tree } from './tree.ts';

export interface SupervisorOptions {
  /** Where the records of the children are kept. */
  readonly folder: string;
  readonly version: string;
  readonly log: Log;
  /** Called after `shutdown` has been answered: the process should end. */
  readonly onShutdown: () => void;
  readonly clock?: Clock;
  readonly ids?: Ids;
  /** How often adopted children are looked at; 200 by default. */
  readonly adoptedCheckMs?: number;
}
type Event = Shape<typeof processesContract.event>;

const logCheckMs = 10_000;
const logRateMs = 1000;
const longestId = 120;
const deepest = 16;

export interface Supervisor extends Processes {
  /** Stops looking; children run on. */
  leave(): void;
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { log, clock = systemClock, ids = randomIds } = options;
  const records = new Records(options.folder);
  const listeners = new Set<(event: Event) => void>();
  const startedAt = Math.floor(clock.now() / 1000);
  const announce = (event: Event['event'], process: ProcessInfo) => {
    for (const listener of [...listeners]) listener({ event, process });
  };
  const grown = new Map<string, Grown>();
  const tree = new Tree({ owner: options.folder, records, clock, ids, log, announce });
  tree.adopt();
  const stops = [
    repeat(clock, options.adoptedCheckMs ?? 200, () => {
      for (const child of tree.children) child.check();
    }),
    repeat(clock, logCheckMs, () => rotateLogs(tree.children, log)),
    repeat(clock, logRateMs, () => slowLogs(tree.children, grown, clock.now(), log)),
  ];
  const leave = () => {
    for (const stop of stops) stop();
    tree.leave();
  };

  async function start(spec: ProcessSpec): Promise<ProcessInfo> {
    if (spec.id === '' || spec.id.length > longestId)
      throw processErrors.make('Failed_to_start', {
        command: spec.command[0],
        reason: `its id has ${spec.id.length} characters; 1 to ${longestId} are possible`,
      });
    if (spec.group !== undefined && !tree.world.groups.has(spec.group))
      throw processErrors.make('Group_unknown', { id: spec.group });
    return tree.start(spec);
  }
  async function stat({ id }: { readonly id: string }): Promise<ProcessInfo> {
    const child = tree.find(id);
    if (!child) throw processErrors.make('Does_not_exist', { id });
    child.check();
    return child.info();
  }
  function check(): void {
    for (const child of tree.children) child.check();
  }
  async function shutdown(a: { readonly children: boolean }): Promise<void> {
    if (a.children) await Promise.all([...tree.children].map((child) => tree.stop(child.spec.id, stopMsOf(child))));
    leave();
    clock.after(0, options.onShutdown);
  }
  return {
    process: {
      start,
      stat,
      list: async () => {
        check();
        return [...tree.children].map((child) => child.info());
      },
      stop: ({ id, timeoutMs }) => tree.stop(id, timeoutMs),
      kill: ({ id }) => tree.kill(id),
      ready: async ({ id }) => tree.ready(id),
      forget: async ({ id }) => tree.forget(id),
    },
    group: {
      define: async (group) => {
        checkGroup(group, tree.world);
        tree.define(group);
      },
      list: async () => [...tree.world.groups.values()].map((group) => group.spec),
      remove: async ({ id }) => {
        checkEmpty(id, tree.world);
        tree.undefine(id);
      },
    },
    supervisor: {
      info: async () => ({ pid: process.pid, version: options.version, startedAt }),
      tree: async () => {
        check();
        return tree.nodes();
      },
      shutdown,
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    leave,
  };
}

const stopMsOf = (child: Child): number => child.spec.stopMs ?? defaultStopMs;

/** Groups form a tree. */
function checkGroup(group: ProcessGroup, { groups }: World): void {
  const impossible = (reason: string) => processErrors.make('Group_impossible', { id: group.id, reason });
  if (group.id === '' || group.id.length > longestId)
    throw impossible(`its id has ${group.id.length} characters; 1 to ${longestId} are possible`);
  for (let at = group.parent, depth = 1; at !== undefined; at = groups.get(at)?.spec.parent, depth++) {
    if (at === group.id) throw impossible('it would be above itself');
    if (!groups.has(at)) throw processErrors.make('Group_unknown', { id: at });
    if (depth > deepest) throw impossible(`more than ${deepest} groups are above it`);
  }
}
function checkEmpty(id: string, { groups, members }: World): void {
  const inside = [
    ...[...members.values()].filter((m) => m.spec.group === id),
    ...[...groups.values()].filter((g) => g.spec.parent === id),
  ];
  if (inside.length === 0) return;
  const reason = `${inside.map(({ spec }) => spec.id).join(', ')} would be without it; forget them first`;
  throw processErrors.make('Group_impossible', { id, reason });
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
      rotateWhenLarge(child.spec.log, child.spec.logSize, child.spec.logKeep);
    } catch (error) {
      log.warn('a log could not be put aside', { log: child.spec.log, error: String(error) });
    }
  }
}
/** Of those that have a limit; one that is gone is forgotten. */
function slowLogs(children: Iterable<Child>, grown: Map<string, Grown>, now: number, log: Log): void {
  const limited = [...children].filter((child) => child.running && child.spec.logRate !== undefined);
  const ids = new Set(limited.map((child) => child.spec.id));
  for (const id of grown.keys()) if (!ids.has(id)) grown.delete(id);
  for (const { spec } of limited) {
    try {
      grown.set(spec.id, limitGrowth(spec.log, spec.logRate ?? 0, grown.get(spec.id), now));
    } catch (error) {
      log.warn('a log could not be cut', { log: spec.log, error: String(error) });
    }
  }
}
