/**
 * Who is started, stopped and started again: pure. A world and an event go in, the next world and what is to be done come out.
 *
 *     add ──▶ waiting ──all of `after` are up──▶ starting ──up──▶ up
 *               ▲                                   │              │
 *               │ the pause is over                 └────ended─────┤
 *            pausing ◀──its policy wants it back, limits allow─────┤──▶ ended   (its policy does not)
 *               ▲                                                  │
 *               │ its group starts again                           └──▶ failed  (limits are exceeded: it crashes in a loop)
 *            stopping ◀──a sibling's end, the group's strategy──── starting, up
 *
 * Policies: `permanent` is always started again, `transient` only after a failure, `temporary` never. Two limits: `tries` counts
 * a child's runs in a row that did not come up; a group's `restarts` within `withinMs` counts all of its members, as Erlang's
 * supervisors do. A group that exceeds its own is started again by the strategy of the group above it; the topmost is given up.
 */
export type Policy = 'permanent' | 'transient' | 'temporary';
export type Strategy = 'one-for-one' | 'all-for-one' | 'rest-for-one';
export type State = 'waiting' | 'starting' | 'up' | 'pausing' | 'stopping' | 'ended' | 'failed';

export interface MemberSpec {
  readonly id: string;
  readonly policy: Policy;
  readonly group?: string | undefined;
  /** Members that must be up before it is started for the first time or again. */
  readonly after: readonly string[];
  /** Runs in a row that may end before they came up. */
  readonly tries: number;
  /** A run of this many milliseconds came up, whatever it said. */
  readonly soundAfterMs: number;
}
export interface GroupSpec {
  readonly id: string;
  readonly strategy: Strategy;
  /** This many restarts are allowed … */
  readonly restarts: number;
  /** … in this many milliseconds. */
  readonly withinMs: number;
  /** The group above. */
  readonly parent?: string | undefined;
}
export interface Member {
  readonly spec: MemberSpec;
  readonly state: State;
  /** What follows `stopping`. */
  readonly next: 'waiting' | 'ended' | 'failed';
  /** Runs in a row that did not come up. */
  readonly unsound: number;
  /** This run has said that it is up. */
  readonly sound: boolean;
  readonly restarts: number;
}
export interface Group {
  readonly spec: GroupSpec;
  /** When it was started again lately. */
  readonly restartedAt: readonly number[];
}
/** In order of their addition, which is the order of starting. */
export interface World {
  readonly groups: ReadonlyMap<string, Group>;
  readonly members: ReadonlyMap<string, Member>;
}
export type Event =
  | { readonly kind: 'define'; readonly spec: GroupSpec }
  | { readonly kind: 'undefine'; readonly id: string }
  | { readonly kind: 'add'; readonly spec: MemberSpec }
  /** From an earlier supervisor, in the state that it is found in. */
  | { readonly kind: 'adopt'; readonly spec: MemberSpec; readonly state: State; readonly restarts: number }
  | { readonly kind: 'remove'; readonly id: string }
  /** Dependants may start; `said`: it told so itself, and does not merely run. */
  | { readonly kind: 'up'; readonly id: string; readonly said: boolean }
  /** `clean`: status 0. */
  | { readonly kind: 'ended'; readonly id: string; readonly clean: boolean; readonly ranMs: number }
  | { readonly kind: 'paused'; readonly id: string }
  /** Somebody wants it to end; whoever sends this sends the signal, too. */
  | { readonly kind: 'stop'; readonly id: string };
export type Action =
  | { readonly kind: 'start'; readonly id: string }
  | { readonly kind: 'stop'; readonly id: string }
  | { readonly kind: 'pause'; readonly id: string; readonly ms: number }
  | { readonly kind: 'fail'; readonly id: string; readonly why: string };

export const emptyWorld: World = { groups: new Map(), members: new Map() };
const soundPauseMs = 10;
const firstPauseMs = 100;
const longestPauseMs = 30_000;
/** Before the restart that follows the `unsound`th such run in a row; nearly none after one that came up. */
export const pauseMs = (unsound: number): number =>
  unsound === 0 ? soundPauseMs : Math.min(firstPauseMs * 2 ** (Math.min(unsound, 20) - 1), longestPauseMs);

export function step(world: World, event: Event, nowMs: number): { world: World; actions: readonly Action[] } {
  const turn = new Turn(world, nowMs);
  turn.take(event);
  return turn.result();
}

const runs = (m: Member): boolean => m.state === 'starting' || m.state === 'up' || m.state === 'stopping';
/** Is on its way to being up, or is. */
const wanted = (m: Member): boolean =>
  m.state === 'waiting' || m.state === 'pausing' || m.state === 'starting' || m.state === 'up';

/** One event's work on a copy of the world. */
class Turn {
  readonly #groups: Map<string, Group>;
  readonly #members: Map<string, Member>;
  readonly #now: number;
  readonly #actions: Action[] = [];

  constructor(world: World, now: number) {
    this.#groups = new Map(world.groups);
    this.#members = new Map(world.members);
    this.#now = now;
  }
  result() {
    this.#startReady();
    return { world: { groups: this.#groups, members: this.#members }, actions: this.#actions };
  }
  take(event: Event): void {
    switch (event.kind) {
      case 'define':
        this.#groups.set(event.spec.id, { spec: event.spec, restartedAt: [] });
        return;
      case 'undefine':
        this.#groups.delete(event.id);
        return;
      case 'add':
        this.#members.delete(event.spec.id);
        this.#members.set(event.spec.id, fresh(event.spec, 'waiting'));
        return;
      case 'adopt':
        this.#members.set(event.spec.id, {
          ...fresh(event.spec, event.state),
          restarts: event.restarts,
          sound: event.state === 'up',
        });
        return;
      case 'remove':
        this.#members.delete(event.id);
        return;
    }
    const member = this.#members.get(event.id);
    if (!member) return;
    if (event.kind === 'up') this.#up(member, event.said);
    else if (event.kind === 'ended') this.#ended(member, event.clean, event.ranMs);
    else if (event.kind === 'paused') this.#paused(member);
    else this.#stop(member);
  }
  #set(member: Member, part: Partial<Member>): void {
    const { id } = member.spec;
    const now = this.#members.get(id);
    if (now) this.#members.set(id, { ...now, ...part });
  }
  #up(member: Member, said: boolean): void {
    if (member.state !== 'starting' && member.state !== 'up') return;
    this.#set(member, { state: 'up', ...(said ? { unsound: 0, sound: true } : {}) });
  }
  #paused(member: Member): void {
    if (member.state === 'pausing') this.#set(member, { state: 'waiting' });
  }
  #stop(member: Member): void {
    if (runs(member)) this.#set(member, { state: 'stopping', next: 'ended' });
    else if (member.state !== 'failed') this.#set(member, { state: 'ended' });
  }
  #ended(member: Member, clean: boolean, ranMs: number): void {
    if (!runs(member)) return;
    if (member.state === 'stopping') this.#set(member, { state: member.next, sound: false });
    else this.#endedUnasked(member, clean, ranMs);
  }
  #endedUnasked(member: Member, clean: boolean, ranMs: number): void {
    const { policy, tries, group } = member.spec;
    if (policy === 'temporary' || (policy === 'transient' && clean)) {
      this.#set(member, { state: 'ended' });
      return;
    }
    const unsound = member.sound || ranMs >= member.spec.soundAfterMs ? 0 : member.unsound + 1;
    this.#set(member, { state: 'pausing', sound: false, unsound });
    const its = this.#groups.get(group ?? '');
    if (unsound > tries)
      this.#escalate(its, [member], `${member.spec.id} ended ${unsound} times in a row before it was up`);
    else this.#restart(its, [member], `${member.spec.id} ended`);
  }
  /** `ended`: one member, or all of a group below `group`. */
  #restart(group: Group | undefined, ended: readonly Member[], why: string): void {
    if (group) {
      const { id, restarts, withinMs, strategy } = group.spec;
      const restartedAt = [...group.restartedAt.filter((at) => at > this.#now - withinMs), this.#now];
      this.#groups.set(id, { ...group, restartedAt });
      if (restartedAt.length > restarts) {
        const told = `${why}: group ${id} was started again ${restartedAt.length} times in ${withinMs / 1000} s`;
        this.#escalate(this.#groups.get(id), ended, told);
        return;
      }
      this.#restartSiblings(id, strategy, ended);
    }
    for (const { spec } of ended) {
      const member = this.#members.get(spec.id);
      if (member?.state !== 'pausing') continue;
      this.#set(member, { restarts: member.restarts + 1 });
      this.#actions.push({ kind: 'pause', id: spec.id, ms: pauseMs(member.unsound) });
    }
  }
  #restartSiblings(group: string, strategy: Strategy, ended: readonly Member[]): void {
    if (strategy === 'one-for-one') return;
    const gone = new Set(ended.map((m) => m.spec.id));
    const all = this.#below(group);
    const first = all.findIndex((m) => gone.has(m.spec.id));
    for (const sibling of (strategy === 'rest-for-one' ? all.slice(first) : all).reverse())
      if (!gone.has(sibling.spec.id)) this.#again(sibling);
  }
  /** It is stopped, and started again once all who stop with it have ended. */
  #again(member: Member): void {
    if (member.state === 'pausing') this.#set(member, { state: 'waiting' });
    if (member.state !== 'starting' && member.state !== 'up') return;
    const back = member.spec.policy !== 'temporary';
    this.#set(member, {
      state: 'stopping',
      next: back ? 'waiting' : 'ended',
      restarts: member.restarts + (back ? 1 : 0),
    });
    this.#actions.push({ kind: 'stop', id: member.spec.id });
  }
  /** The limits of `group` are exceeded: the group above starts it again, or all is given up. */
  #escalate(group: Group | undefined, ended: readonly Member[], why: string): void {
    const above = group?.spec.parent === undefined ? undefined : this.#groups.get(group.spec.parent);
    if (!group || !above) {
      this.#giveUp(group ? this.#below(group.spec.id) : ended, why);
      return;
    }
    this.#groups.set(group.spec.id, { ...group, restartedAt: [] });
    for (const member of ended) this.#set(member, { unsound: 1 });
    const all = this.#below(group.spec.id);
    const gone = new Set(ended.map((m) => m.spec.id));
    for (const member of [...all].reverse()) if (!gone.has(member.spec.id)) this.#again(member);
    this.#restart(above, all, why);
  }
  #giveUp(members: readonly Member[], why: string): void {
    for (const { spec } of [...members].reverse()) {
      const member = this.#members.get(spec.id);
      if (!member || (!wanted(member) && member.next === 'ended') || !(wanted(member) || runs(member))) continue;
      if (member.state === 'starting' || member.state === 'up') this.#actions.push({ kind: 'stop', id: spec.id });
      if (runs(member)) this.#set(member, { state: 'stopping', next: 'failed' });
      else this.#set(member, { state: 'failed' });
      this.#actions.push({ kind: 'fail', id: spec.id, why });
    }
  }
  /** Members of a group and of all groups below it. */
  #below(group: string): Member[] {
    return [...this.#members.values()].filter((m) => this.#isIn(m.spec.group, group));
  }
  #isIn(of: string | undefined, group: string): boolean {
    const seen = new Set<string>();
    for (let at = of; at !== undefined && !seen.has(at); at = this.#groups.get(at)?.spec.parent) {
      if (at === group) return true;
      seen.add(at);
    }
    return false;
  }
  #startReady(): void {
    for (const member of this.#members.values()) {
      if (member.state !== 'waiting' || !this.#mayStart(member)) continue;
      this.#set(member, { state: 'starting', next: 'waiting', sound: false });
      this.#actions.push({ kind: 'start', id: member.spec.id });
    }
  }
  #mayStart({ spec }: Member): boolean {
    if (!spec.after.every((id) => this.#members.get(id)?.state === 'up')) return false;
    for (let at = this.#groups.get(spec.group ?? ''), depth = 0; at && depth < 16; depth++) {
      if (at.spec.strategy !== 'one-for-one' && this.#isHeldUp(at.spec.id, spec.id)) return false;
      at = this.#groups.get(at.spec.parent ?? '');
    }
    return true;
  }
  /** A group that stops and starts together does so in order. */
  #isHeldUp(group: string, id: string): boolean {
    const all = this.#below(group);
    if (all.some((m) => m.state === 'stopping' && m.next === 'waiting')) return true;
    const before = all.slice(
      0,
      all.findIndex((m) => m.spec.id === id),
    );
    return before.some((m) => wanted(m) && m.state !== 'up');
  }
}

const fresh = (spec: MemberSpec, state: State): Member => ({
  spec,
  state,
  next: 'waiting',
  unsound: 0,
  sound: false,
  restarts: 0,
});
