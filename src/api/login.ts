/** Password logins: verified a few at a time, and slow to say no, without keeping others waiting. */
import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Role } from '../datamodel/dsl.ts';
import { fail } from '../datamodel/errors.ts';
import type { Caller } from './routes.ts';
import type { LiveSession, Sessions } from './sessions.ts';

/** Who a name and password belong to. */
export interface Identity {
  readonly user: string;
  readonly superuser: boolean;
  /** Role names of the data model; empty for superusers. */
  readonly roles: readonly Role[];
}
export type Authenticate = (user: string, password: string) => Promise<Identity | undefined>;

export interface LoginParts {
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly authenticate: Authenticate;
  /** How long a failed login waits for its answer. */
  readonly delayMs: number;
  /** How many logins may be checked or wait for their refusal at once; more are refused unchecked. */
  readonly limit?: number;
}

const recentMs = 5 * 60_000;

export class Logins {
  readonly #parts: LoginParts;
  #waiting = 0;
  /** Keyed hashes of what was right lately: those need not stand in the line again. */
  readonly #recent = new Map<string, { readonly found: Identity; readonly until: number }>();
  readonly #key = randomBytes(32);
  readonly #closing = new AbortController();
  /** Password checks go one after another: scrypt is slow on purpose, and others need the processors. */
  #line: Promise<unknown> = Promise.resolve();

  constructor(parts: LoginParts) {
    this.#parts = parts;
  }
  /** SESSION_AUTHENTICATION_FAILED [user, reason], after the delay. Callers on the local socket are root. */
  async login(caller: Caller, user: string, password: string, originator: string): Promise<LiveSession> {
    const { sessions } = this.#parts;
    if (caller.local) return sessions.create({ user: user || 'root', superuser: true, originator });
    const found = await this.verify(user, password);
    return sessions.create({ ...found, originator });
  }
  /** Checks a name and password; the same errors. */
  async verify(user: string, password: string): Promise<Identity> {
    const { clock, delayMs, limit = 500 } = this.#parts;
    const mark = createHmac('sha256', this.#key)
      .update(JSON.stringify([user, password]))
      .digest('base64');
    const known = this.#recent.get(mark);
    if (known && known.until > clock.now()) return known.found;
    if (this.#waiting >= limit)
      throw fail('SESSION_AUTHENTICATION_FAILED', {
        user,
        reason: 'too many logins are failing at this moment; try again',
      });
    this.#waiting++;
    try {
      const found = await this.#check(user, password);
      if (found) {
        if (this.#recent.size >= 100) this.#recent.clear();
        this.#recent.set(mark, { found, until: clock.now() + recentMs });
        return found;
      }
      await this.#delay(delayMs);
      throw fail('SESSION_AUTHENTICATION_FAILED', { user, reason: 'the name or the password is wrong' });
    } finally {
      this.#waiting--;
    }
  }
  /** Refuses those that wait for their refusal now. */
  close(): void {
    this.#closing.abort();
  }
  /** To be called when a password was changed. */
  forget(): void {
    this.#recent.clear();
  }
  /** Waits, but not for longer than the server lives. */
  #delay(ms: number): Promise<void> {
    const { signal } = this.#closing;
    return this.#parts.clock.sleep(ms, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
  #check(user: string, password: string): Promise<Identity | undefined> {
    const result = this.#line.then(() => this.#parts.authenticate(user, password));
    // a failure is the caller's; the line goes on
    this.#line = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }
}
