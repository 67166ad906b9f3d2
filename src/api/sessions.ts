/**
 * Sessions: live → ended, by logout, by being idle for a day, or as the oldest of too many. Ending one aborts `ended`, which
 * ends the calls that wait in it. The reference is a secret and never logged; `trackId` stands for it.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import { nullRef, type Ref, type Role } from '../datamodel/dsl.ts';
import { fail } from '../datamodel/errors.ts';
import type { Db } from '../db/db.ts';
import type { Session } from './context.ts';
import { timeText } from './decode.ts';
import { permissionsOf } from './rbac.ts';

const idleMs = 24 * 3600_000;
const refreshMs = 10 * 60_000;
/** Live sessions of one originator, and of one user name. */
export const sessionLimit = 500;

export interface LiveSession extends Session {
  /** Stands for the session in logs. */
  readonly trackId: string;
  readonly pool: boolean;
}
interface Entry extends LiveSession {
  readonly controller: AbortController;
  lastActive: number;
  /** When the row was last written. */
  written: number;
}
export interface NewSession {
  readonly user: string;
  readonly superuser: boolean;
  readonly roles?: readonly Role[];
  readonly originator?: string;
  /** Another host of the pool, or the house itself. */
  readonly pool?: boolean;
}
export interface SessionParts {
  readonly db: Db;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly host: Ref<'host'>;
}

/** What calls without a session run as. */
export const nobody: LiveSession = {
  ref: nullRef,
  superuser: false,
  user: '',
  roles: new Set(),
  originator: '',
  ended: new AbortController().signal,
  trackId: '-',
  pool: false,
};

export class Sessions {
  readonly #parts: SessionParts;
  /** Least recently used first. */
  readonly #live = new Map<string, Entry>();

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }
  get count(): number {
    return this.#live.size;
  }
  create(s: NewSession): LiveSession {
    const { db, clock, ids, host } = this.#parts;
    const uuid = ids.uuid();
    const ref = `OpaqueRef:${ids.uuid()}`;
    const now = clock.now();
    const roles = new Set<Role>(s.roles ?? []);
    const controller = new AbortController();
    const entry: Entry = {
      ref,
      superuser: s.superuser,
      user: s.user,
      roles,
      originator: s.originator ?? '',
      ended: controller.signal,
      trackId: createHash('sha256').update(ref).digest('hex').slice(0, 16),
      pool: s.pool ?? false,
      controller,
      lastActive: now,
      written: now,
    };
    const row = {
      uuid,
      this_host: host,
      last_active: timeText(now),
      pool: entry.pool,
      is_local_superuser: s.superuser,
      auth_user_name: s.user,
      originator: entry.originator,
      rbac_permissions: s.superuser ? [] : permissionsOf(roles),
    };
    db.create('session', row, ref);
    this.#live.set(ref, entry);
    this.#limit(entry);
    return entry;
  }
  /** The live session, marked as used now. SESSION_INVALID [ref]. */
  get(ref: string): LiveSession {
    const entry = this.#live.get(ref);
    const now = this.#parts.clock.now();
    if (!entry || this.#stale(entry, now)) throw fail('SESSION_INVALID', { handle: ref.slice(0, 80) });
    entry.lastActive = now;
    if (now - entry.written >= refreshMs) {
      entry.written = now;
      this.#live.delete(ref);
      this.#live.set(ref, entry);
      this.#parts.db.set('session', ref, { last_active: timeText(now) });
    }
    return entry;
  }
  has(ref: string): boolean {
    return this.#live.has(ref);
  }
  /** Ends a session; none is no error. */
  end(ref: string): void {
    const entry = this.#live.get(ref);
    if (!entry) return;
    this.#live.delete(ref);
    this.#parts.db.destroy('session', ref);
    entry.controller.abort(fail('SESSION_INVALID', { handle: ref }));
  }
  endAll(): void {
    for (const ref of [...this.#live.keys()]) this.end(ref);
  }
  /** Ends sessions that have been idle for a day. Those with a running task are kept. */
  expire(): void {
    const now = this.#parts.clock.now();
    for (const entry of [...this.#live.values()]) if (this.#stale(entry, now)) this.end(entry.ref);
  }
  *live(): IterableIterator<LiveSession> {
    yield* this.#live.values();
  }
  #stale(entry: Entry, now: number): boolean {
    if (entry.pool || now - entry.lastActive < idleMs) return false;
    const { db } = this.#parts;
    return !db.where('task', 'session', entry.ref).some((t) => db.get('task', t).status === 'pending');
  }
  #limit(fresh: Entry): void {
    this.#trim((e) => e.originator === fresh.originator);
    this.#trim((e) => e.user === fresh.user);
  }
  #trim(same: (e: Entry) => boolean): void {
    if (this.#live.size <= sessionLimit) return;
    const group = [...this.#live.values()].filter((e) => same(e) && !e.pool);
    if (group.length <= sessionLimit) return;
    group.sort((a, b) => a.lastActive - b.lastActive);
    for (const e of group.slice(0, group.length - sessionLimit)) this.end(e.ref);
  }
}
