/** Sessions: limits, refreshing, passwords. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Logins } from '../../src/api/login.ts';
import { filePassword } from '../../src/api/password.ts';
import type { Caller } from '../../src/api/routes.ts';
import { Sessions, sessionLimit } from '../../src/api/sessions.ts';
import { ManualClock } from '../../src/base/clock.ts';
import { seededIds } from '../../src/base/ids.ts';
import { memoryDb } from './api-house.ts';

const caller: Caller = { local: false, address: '10.0.0.1', userAgent: '', gone: () => new AbortController().signal };
async function parts() {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const db = await memoryDb(clock);
  const host = db.create('host', {});
  return { clock, db, sessions: new Sessions({ db, clock, ids: seededIds(), host }) };
}

test('the oldest of too many sessions of one originator ends', async () => {
  const { clock, sessions } = await parts();
  const make = (user: string, originator: string) => sessions.create({ user, superuser: true, originator });
  const first = make('root', 'a');
  const kept = make('other', 'b');
  for (let i = 0; i < sessionLimit; i++) {
    await clock.advance(1);
    make('root', 'a');
  }
  assert.equal(sessions.count, sessionLimit + 1);
  assert.ok(first.ended.aborted);
  assert.ok(!kept.ended.aborted);
  assert.throws(() => sessions.get(first.ref), /SESSION_INVALID/);
});

test('last_active is written at most every ten minutes', async () => {
  const { clock, db, sessions } = await parts();
  const s = sessions.create({ user: 'root', superuser: true });
  const at = () => db.get('session', s.ref).last_active;
  await clock.advance(9 * 60_000);
  sessions.get(s.ref);
  assert.equal(at(), '20260101T00:00:00Z');
  await clock.advance(60_000);
  sessions.get(s.ref);
  assert.equal(at(), '20260101T00:10:00Z');
});

test('failing logins wait, are bounded, and do not hold up a right one', async () => {
  const { clock, sessions } = await parts();
  const authenticate = async (user: string, password: string) =>
    password === 'right' ? { user, superuser: true, roles: [] } : undefined;
  const logins = new Logins({ sessions, clock, authenticate, delayMs: 5000, limit: 3 });
  const ended: string[] = [];
  const wrong = (n: number) =>
    logins.login(caller, 'root', `wrong ${n}`, '').catch((e: Error) => ended.push(e.message));
  const first = [wrong(1), wrong(2)];
  const s = await logins.login(caller, 'root', 'right', '');
  assert.equal(s.user, 'root');
  const third = wrong(3);
  await clock.advance(0);
  await wrong(4);
  assert.match(ended[0] ?? '', /SESSION_AUTHENTICATION_FAILED root too many/);
  await logins.login(caller, 'root', 'right', '');
  await clock.advance(4999);
  assert.equal(ended.length, 1);
  await clock.advance(1);
  await Promise.all([...first, third]);
  assert.equal(ended.length, 4);
});

test('a password is kept as a hash that only root reads', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'guesthouse-password-'));
  try {
    const file = join(dir, 'hash');
    const account = filePassword(file);
    assert.equal(await account.isSet(), false);
    assert.equal(await account.authenticate('root', ''), undefined);
    await account.change('sésame');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(await account.authenticate('root', 'sésame'), { user: 'root', superuser: true, roles: [] });
    assert.equal(await account.authenticate('root', 'sesame'), undefined);
    assert.equal(await account.authenticate('toor', 'sésame'), undefined);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
