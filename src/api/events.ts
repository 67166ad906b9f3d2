/**
 * Events: `event.from` with tokens, and the older `event.register` and `event.next`. Both look back into the database's own
 * memory of changes, so nothing is queued per client. A waiter:
 *
 *   asked ──changes are there──▶ answered        (a caller that came back at once waits until 50 ms after its last answer)
 *     └──none──▶ waiting ──first change──▶ answered at once
 *                   ├──time is up──▶ answered without events
 *                   └──session ended──▶ SESSION_INVALID        connection gone ──▶ dropped
 */
import type { Clock } from '../base/clock.ts';
import { fail } from '../datamodel/errors.ts';
import type { ClassName } from '../datamodel/index.ts';
import type { Db, DbEvent } from '../db/db.ts';
import { EventBatch, EventList } from './event-batch.ts';
import { parseSubscription, type Subscription } from './subscription.ts';

const batchMs = 50;
/** Longer waits end, and the client asks again. Seconds. */
const longest = 24 * 3600;

export interface EventParts {
  readonly db: Db;
  readonly clock: Clock;
}
/** Who asks: a session, and the connection that it asks through. */
export interface Asker {
  readonly ref: string;
  readonly ended: AbortSignal;
  gone(): AbortSignal;
}
interface Waiter {
  readonly sub: Subscription;
  /** A change that it wants was committed. */
  readonly wake: (before: number) => void;
  /** The session ended. */
  readonly end: () => void;
}

const digits = (n: number): string => String(n).padStart(20, '0');
/** The first number counts changes of the database; alerts are counted by it too. */
export const tokenOf = (revision: number): string => `${digits(revision)},${digits(revision)}`;
/** 0 for "", which means from the start. EVENT_FROM_TOKEN_PARSE_FAILURE [token]. */
export function revisionOf(token: string): number {
  if (token === '') return 0;
  const m = /^(\d{1,20}),(\d{1,20})$/.exec(token);
  const revision = Number(m?.[1]);
  if (!m || !Number.isSafeInteger(revision))
    throw fail('EVENT_FROM_TOKEN_PARSE_FAILURE', { token: token.slice(0, 80) });
  return revision;
}

export class Events {
  readonly #parts: EventParts;
  readonly #waiters = new Set<Waiter>();
  /** The same by the end of their session, with one listener per session: listeners cost more than the rest of a wait. */
  readonly #bySession = new WeakMap<AbortSignal, Set<Waiter>>();
  /** Batches made since the last commit, by subscription and token: those who wait for the same share one. */
  readonly #shared = new Map<string, EventBatch | undefined>();
  /** The last commit that was heard of. */
  #seen: number;
  readonly #subscriptions = new Map<string, Subscription>();
  /** When each session was last answered, by subscription. */
  #answered = new WeakMap<AbortSignal, Map<string, number>>();
  readonly #registered = new WeakMap<AbortSignal, { items: Set<string>; sub: Subscription; since: number }>();
  readonly #stop: () => void;

  constructor(parts: EventParts) {
    this.#parts = parts;
    this.#seen = parts.db.settled;
    this.#stop = parts.db.watch((events, revision) => this.#committed(events, revision));
  }
  close(): void {
    this.#stop();
  }
  get waiting(): number {
    return this.#waiters.size;
  }

  /** `timeout` in seconds. */
  async from(asker: Asker, items: readonly string[], token: string, timeout: number): Promise<EventBatch> {
    const { db, clock } = this.#parts;
    const sub = this.#subscription(items);
    const since = revisionOf(token);
    const end = clock.now() + Math.min(longest, Math.max(0, timeout)) * 1000;
    let batch = this.#batch(sub, since);
    if (batch && since > 0) {
      const pause = Math.min(this.#tooSoon(asker, sub), end - clock.now());
      if (pause > 0) {
        await this.#sleep(asker, pause);
        batch = this.#batch(sub, since);
      }
    }
    // what did not match so far need not be looked at again: a long wait must not outlive the memory of changes
    let from = Math.max(since, db.settled);
    while (!batch) {
      const before = await this.#change(asker, sub, end - clock.now());
      if (before === undefined) break;
      from = Math.max(from, before);
      batch = this.#batch(sub, from);
    }
    this.#note(asker, sub);
    return batch ?? new EventBatch(db, [], tokenOf(db.settled));
  }
  /** Equal items give the same object: what is found out for one waiter holds for its equals. */
  #subscription(items: readonly string[]): Subscription {
    const key = items.join('\n');
    const known = this.#subscriptions.get(key);
    if (known) return known;
    const sub = parseSubscription(items);
    if (this.#subscriptions.size >= 100) this.#subscriptions.clear();
    this.#subscriptions.set(key, sub);
    return sub;
  }
  /** The changes since then that the subscription wants; undefined when there are none. EVENTS_LOST. */
  #batch(sub: Subscription, since: number): EventBatch | undefined {
    const { db } = this.#parts;
    const key = `${since}|${sub.key}`;
    if (since > 0 && this.#shared.has(key)) return this.#shared.get(key);
    const events = this.#changes(sub, since);
    const batch = events.length > 0 || since === 0 ? new EventBatch(db, events, tokenOf(db.settled)) : undefined;
    if (since > 0) this.#shared.set(key, batch);
    return batch;
  }
  #changes(sub: Subscription, since: number): readonly DbEvent[] {
    const changes = this.#parts.db.changes(since, sub.classes as ReadonlySet<string>);
    if (!changes) throw fail('EVENTS_LOST', {});
    return changes.filter((e) => sub.matches(e));
  }
  #committed(events: readonly DbEvent[], revision: number): void {
    const before = this.#seen;
    this.#seen = revision;
    this.#shared.clear();
    if (this.#waiters.size === 0) return;
    const wanted = new Map<Subscription, boolean>();
    for (const waiter of [...this.#waiters]) {
      const { sub } = waiter;
      let wants = wanted.get(sub);
      if (wants === undefined) wanted.set(sub, (wants = events.some((e) => sub.matches(e))));
      if (wants) waiter.wake(before);
    }
  }
  /** Waits for a change that the subscription wants: the revision before it, or undefined when the time is up first. */
  #change(asker: Asker, sub: Subscription, ms: number): Promise<number | undefined> {
    const { clock } = this.#parts;
    if (ms <= 0) return Promise.resolve(undefined);
    const gone = asker.gone();
    const siblings = this.#waitersOf(asker.ended);
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#waiters.delete(waiter);
        siblings.delete(waiter);
        cancel();
      };
      const waiter: Waiter = {
        sub,
        wake: (before) => {
          settle();
          resolve(before);
        },
        end: () => {
          settle();
          reject(endOf(asker));
        },
      };
      const cancel = clock.after(ms, () => {
        settle();
        resolve(undefined);
      });
      this.#waiters.add(waiter);
      siblings.add(waiter);
      // not taken off again: the signal lives no longer than the request
      gone.addEventListener('abort', waiter.end, { once: true });
      if (asker.ended.aborted || gone.aborted) waiter.end();
    });
  }
  #waitersOf(ended: AbortSignal): Set<Waiter> {
    let set = this.#bySession.get(ended);
    if (!set) {
      const made = new Set<Waiter>();
      set = made;
      this.#bySession.set(ended, made);
      ended.addEventListener('abort', () => {
        for (const waiter of [...made]) waiter.end();
      });
    }
    return set;
  }
  async #sleep(asker: Asker, ms: number): Promise<void> {
    await this.#parts.clock.sleep(ms, asker.ended);
    if (asker.gone().aborted) throw endOf(asker);
  }
  /** How long this session has to wait so that it is answered at most every 50 ms. Subscriptions to tasks never wait. */
  #tooSoon(asker: Asker, sub: Subscription): number {
    const last = this.#answered.get(asker.ended)?.get(sub.key);
    return sub.tasksOnly || last === undefined ? 0 : last + batchMs - this.#parts.clock.now();
  }
  #note(asker: Asker, sub: Subscription): void {
    let answered = this.#answered.get(asker.ended);
    if (!answered || answered.size > 20) this.#answered.set(asker.ended, (answered = new Map()));
    answered.set(sub.key, this.#parts.clock.now());
  }

  register(asker: Asker, items: readonly string[]): void {
    parseSubscription(items);
    const known = this.#registered.get(asker.ended);
    const all = new Set([...(known?.items ?? []), ...items.map(lower)]);
    const since = known?.since ?? this.#parts.db.settled;
    this.#registered.set(asker.ended, { items: all, sub: parseSubscription([...all]), since });
  }
  unregister(asker: Asker, items: readonly string[]): void {
    parseSubscription(items);
    const known = this.#registered.get(asker.ended);
    if (!known) return;
    const all = new Set(known.items);
    for (const item of items) all.delete(lower(item));
    if (all.size === 0) this.#registered.delete(asker.ended);
    else this.#registered.set(asker.ended, { ...known, items: all, sub: parseSubscription([...all]) });
  }
  /** Waits for events of what is registered. SESSION_NOT_REGISTERED; EVENTS_LOST, after which it goes on from now. */
  async next(asker: Asker): Promise<EventList> {
    const { db, clock } = this.#parts;
    for (;;) {
      const known = this.#registered.get(asker.ended);
      if (!known) throw fail('SESSION_NOT_REGISTERED', { handle: asker.ref });
      const { sub, since } = known;
      const settled = db.settled;
      const events = db.changes(since, sub.classes as ReadonlySet<string>);
      known.since = settled;
      if (!events) throw fail('EVENTS_LOST', {});
      const wanted = events.filter((e) => sub.matches(e));
      if (wanted.length > 0) return new EventList(db, wanted, (clock.now() / 1000).toFixed(1));
      const before = await this.#change(asker, sub, longest * 1000);
      const now = this.#registered.get(asker.ended);
      if (now && before !== undefined) now.since = Math.max(now.since, before);
    }
  }
  /** Reports the object as changed, and answers the token of just before. */
  inject(cls: ClassName, ref: string): string {
    const { db } = this.#parts;
    const token = tokenOf(db.settled);
    db.touch(cls, ref);
    return token;
  }
}
/** The class of an item in lower case; its reference as it is. */
const lower = (item: string): string => item.replace(/^[^/]*/, (cls) => cls.toLowerCase());
/** Why a wait ended early: the session's end, or a connection without anybody to answer. */
const endOf = (asker: Asker): unknown =>
  asker.ended.aborted
    ? asker.ended.reason
    : fail('INTERNAL_ERROR', { message: 'the caller has closed the connection' });
