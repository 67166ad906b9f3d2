/** The children and what `strategy.ts` makes of their ends: hands it events, does what it says. */
import type { Clock } from '../base/clock.ts';
import { type ProcessInfo, type ProcessNode, type ProcessSpec, processErrors } from '../contracts/processes.ts';
import { Child, type ChildNeeds } from './child.ts';
import { memoryOf, onlyChildOf } from './proc.ts';
import { awaitReadiness } from './readiness.ts';
import type { Records } from './records.ts';
import { type Action, type Event, emptyWorld, type Member, type MemberSpec, step, type World } from './strategy.ts';

/** How long a child gets to end when the supervisor wants it to. */
export const defaultStopMs = 10_000;
const defaultTries = 10;
/** A run of this many milliseconds came up: of a child that tells when it is up, and of one that does not. */
const soundAfterMs = { telling: 30_000, silent: 1000 };

export interface TreeNeeds extends Omit<ChildNeeds, 'onEnded'> {
  readonly records: Records;
  readonly clock: Clock;
}

export class Tree {
  readonly #needs: ChildNeeds;
  readonly #children = new Map<string, Child>();
  readonly #pauses = new Map<string, () => void>();
  readonly #looking = new Map<string, () => void>();
  /** Callers that wait for the first start of a child. */
  readonly #first = new Map<string, PromiseWithResolvers<void>>();
  #world: World = emptyWorld;
  #order = 0;
  #left = false;

  constructor(needs: TreeNeeds) {
    this.#needs = { ...needs, onEnded: (child, clean, ranMs) => this.#ended(child, clean, ranMs) };
  }
  /** Takes over what an earlier supervisor left. */
  adopt(): void {
    const { records, log } = this.#needs;
    for (const spec of records.readGroups(log)) this.#apply({ kind: 'define', spec });
    for (const record of records.readAll(log)) {
      this.#order = Math.max(this.#order, record.order + 1);
      const child = Child.adopt(this.#needs, record);
      this.#children.set(record.spec.id, child);
      const state = child.running ? 'up' : child.wantsBack ? 'waiting' : record.failed === null ? 'ended' : 'failed';
      this.#apply({ kind: 'adopt', spec: memberSpec(child), state, restarts: record.restarts });
    }
  }
  get children(): Iterable<Child> {
    return this.#children.values();
  }
  get world(): World {
    return this.#world;
  }
  find(id: string): Child | undefined {
    return this.#children.get(id);
  }
  /** Answers once it runs; one that has to wait for others is answered at once. */
  async start(spec: ProcessSpec): Promise<ProcessInfo> {
    const { id } = spec;
    const before = this.#children.get(id);
    if (before?.active) throw processErrors.make('Already_running', { id, pid: before.info().pid });
    const child = Child.create(this.#needs, spec, this.#order++);
    this.#children.set(id, child);
    const first = Promise.withResolvers<void>();
    this.#first.set(id, first);
    this.#apply({ kind: 'add', spec: memberSpec(child) });
    if (this.#member(id)?.state === 'waiting') {
      this.#first.delete(id);
      child.wait();
    } else await first.promise;
    this.#needs.log.info(child.running ? 'started' : 'waits for others', { id, pid: child.info().pid });
    return child.info();
  }
  async stop(id: string, timeoutMs: number): Promise<void> {
    this.#endAsked(id);
    await this.#children.get(id)?.stop(timeoutMs);
  }
  async kill(id: string): Promise<void> {
    this.#endAsked(id);
    await this.#children.get(id)?.kill();
  }
  ready(id: string): void {
    this.#apply({ kind: 'up', id, said: true });
  }
  forget(id: string): void {
    const child = this.#children.get(id);
    if (child?.active) throw processErrors.make('Already_running', { id, pid: child.info().pid });
    child?.forget();
    this.#children.delete(id);
    this.#apply({ kind: 'remove', id });
  }
  define(spec: Extract<Event, { kind: 'define' }>['spec']): void {
    this.#apply({ kind: 'define', spec });
    this.#writeGroups();
  }
  undefine(id: string): void {
    this.#apply({ kind: 'undefine', id });
    this.#writeGroups();
  }
  /** Children run on; whoever comes next looks after them. */
  leave(): void {
    this.#left = true;
    for (const cancel of [...this.#pauses.values(), ...this.#looking.values()]) cancel();
    this.#pauses.clear();
    this.#looking.clear();
  }
  nodes(): ProcessNode[] {
    return [...this.#world.members.values()].flatMap((member) => {
      const child = this.#children.get(member.spec.id);
      return child ? [node(member, child, this.#world)] : [];
    });
  }

  #member(id: string): Member | undefined {
    return this.#world.members.get(id);
  }
  #writeGroups(): void {
    this.#needs.records.writeGroups([...this.#world.groups.values()].map((group) => group.spec));
  }
  #endAsked(id: string): void {
    this.#children.get(id)?.endAsked();
    this.#apply({ kind: 'stop', id });
  }
  #ended(child: Child, clean: boolean, ranMs: number): void {
    if (this.#children.get(child.spec.id) === child) this.#apply({ kind: 'ended', id: child.spec.id, clean, ranMs });
  }
  #apply(event: Event): void {
    if (this.#left) return;
    const { world, actions } = step(this.#world, event, this.#needs.clock.now());
    this.#world = world;
    for (const [id, cancel] of this.#pauses)
      if (this.#member(id)?.state !== 'pausing') forgetTimer(this.#pauses, id, cancel);
    for (const [id, cancel] of this.#looking)
      if (this.#member(id)?.state !== 'starting') forgetTimer(this.#looking, id, cancel);
    for (const action of actions) this.#do(action);
  }
  #do(action: Action): void {
    const { id } = action;
    const child = this.#children.get(id);
    if (!child) return;
    if (action.kind === 'start') void this.#start(child);
    else if (action.kind === 'stop') void child.stop(child.spec.stopMs ?? defaultStopMs);
    else if (action.kind === 'fail') child.fail(action.why);
    else this.#pause(child, action.ms);
  }
  #pause(child: Child, ms: number): void {
    const { clock, log } = this.#needs;
    const { id } = child.spec;
    log.warn('ended unasked; starting it again', { id, inMs: ms });
    this.#pauses.set(
      id,
      clock.after(ms, () => {
        this.#pauses.delete(id);
        this.#apply({ kind: 'paused', id });
      }),
    );
  }
  async #start(child: Child): Promise<void> {
    const { id } = child.spec;
    const first = this.#first.get(id);
    this.#first.delete(id);
    try {
      await child.spawn(this.#member(id)?.restarts ?? 0);
      this.#lookWhetherUp(child);
      first?.resolve();
    } catch (error) {
      if (first) this.#neverWas(child, first, error);
      else {
        this.#needs.log.error('could not be started again', { id, error: String(error) });
        this.#ended(child, false, 0);
      }
    }
  }
  #neverWas(child: Child, first: PromiseWithResolvers<void>, error: unknown): void {
    child.forget();
    if (this.#children.get(child.spec.id) === child) {
      this.#children.delete(child.spec.id);
      this.#apply({ kind: 'remove', id: child.spec.id });
    }
    first.reject(error);
  }
  #lookWhetherUp(child: Child): void {
    const { clock, log } = this.#needs;
    const { id, ready, readyMs } = child.spec;
    if (ready === undefined || ready.kind === 'running') {
      this.#apply({ kind: 'up', id, said: false });
      return;
    }
    // It may have said so, or have ended, before this supervisor took notice.
    if (this.#member(id)?.state !== 'starting') return;
    const stopLooking = awaitReadiness(child.spec, child.record.logFrom, clock, () =>
      this.#apply({ kind: 'up', id, said: true }),
    );
    const stopWaiting =
      readyMs === undefined
        ? () => undefined
        : clock.after(readyMs, () => {
            log.warn('did not come up in time; it is killed', { id, readyMs });
            void child.kill();
          });
    this.#looking.set(id, () => {
      stopLooking();
      stopWaiting();
    });
  }
}

function forgetTimer(timers: Map<string, () => void>, id: string, cancel: () => void): void {
  timers.delete(id);
  cancel();
}

function memberSpec(child: Child): MemberSpec {
  const { id, group, after = [], tries = defaultTries, ready } = child.spec;
  const sound = ready === undefined || ready.kind === 'running' ? soundAfterMs.silent : soundAfterMs.telling;
  return { id, group, after, policy: child.policy, tries: Math.max(1, tries), soundAfterMs: sound };
}

function node(member: Member, child: Child, world: World): ProcessNode {
  const { pid, running, exitCode, exitSignal, adopted, failed, tags } = child.info();
  const missing = member.spec.after.filter((id) => world.members.get(id)?.state !== 'up');
  const ended = exitSignal ?? (exitCode === null ? '' : `status ${exitCode}`);
  const waits = missing.length > 0 ? `waits for ${missing.join(', ')}` : 'waits for its group';
  return {
    id: member.spec.id,
    group: member.spec.group ?? null,
    state: member.state,
    pid: running ? pid : 0,
    restarts: member.restarts,
    memory: running ? (memoryOf(child.spec.namespaces?.includes('pid') ? onlyChildOf(pid) : pid) ?? null) : null,
    startedAt: child.startedAt,
    adopted,
    thisBoot: child.ofThisBoot,
    tags,
    note: failed ?? (member.state === 'waiting' ? waits : running ? '' : ended),
  };
}
