/** event.from and its older relatives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventBatch } from '../../src/api/event-batch.ts';
import { Events } from '../../src/api/events.ts';
import { ManualClock, systemClock } from '../../src/base/clock.ts';
import { vmHandlersFor } from './api-fakes.ts';
import { type ApiHouse, apiHouse, jsonrpc, type Loose, login, memoryDb, xmlrpc } from './api-house.ts';

const brief = (r: Loose) => r.events.map((e: Loose) => `${e.operation} ${e.class} ${e.ref}`);

test('tokens, folding, order, deletions, objects and counts', async () => {
  await using h = await apiHouse();
  const s = await login(h.url);
  const from = (classes: string[], token: string, timeout = 20.5) =>
    jsonrpc(h.url, 'event.from', s, classes, token, timeout);
  const start = await from(['*'], '');
  assert.match(start.token, /^\d{20},\d{20}$/);
  assert.ok(brief(start).includes(`add pool ${h.house.pool}`));
  assert.ok(!start.events.some((e: Loose) => e.class === 'session'));
  assert.equal(start.valid_ref_counts.host, 1);
  assert.ok('id' in start.events[0] && typeof start.events[0].id === 'string');

  const kept = h.db.create('VM', { name_label: 'kept' });
  h.db.set('VM', kept, { name_label: 'changed' });
  const gone = h.db.create('VM', {});
  h.db.destroy('VM', gone);
  h.db.set('pool', h.house.pool, { name_label: 'other' });
  const message = await jsonrpc(
    h.url,
    'message.create',
    s,
    'ALARM',
    1,
    'Pool',
    h.db.get('pool', h.house.pool).uuid,
    'x',
  );
  const next = await from(['*'], start.token);
  assert.deepEqual(brief(next), [`add message ${message}`, `add vm ${kept}`, `mod pool ${h.house.pool}`]);
  assert.equal(next.events[0].id, '0');
  assert.equal(next.events[1].snapshot.name_label, 'changed');

  h.db.destroy('VM', kept);
  const last = await from(['vm'], next.token);
  assert.deepEqual(brief(last), [`del vm ${kept}`]);
  assert.ok(!('snapshot' in last.events[0]));

  const none = await from([`VM/${kept}`], last.token, 0.01);
  assert.deepEqual(none.events, []);
  const one = h.db.create('VM', {});
  const waiting = from([`vm/${one}`], none.token);
  h.db.create('VM', {});
  h.db.set('VM', one, { name_label: 'mine' });
  const mine = await waiting;
  assert.deepEqual(
    mine.events.map((e: Loose) => e.ref),
    [one],
  );
});

test('refusals', async () => {
  await using h = await apiHouse();
  const s = await login(h.url);
  const from = (classes: unknown, token: unknown, timeout: unknown) =>
    xmlrpc(h.url, 'event.from', s, classes, token, timeout);
  await assert.rejects(from(['vm/a/b'], '', 1), { wire: ['EVENT_SUBSCRIPTION_PARSE_FAILURE', 'vm/a/b'] });
  await assert.rejects(from([''], '', 1), { wire: ['EVENT_SUBSCRIPTION_PARSE_FAILURE', ''] });
  await assert.rejects(from(['vm'], 'x', 1), { wire: ['EVENT_FROM_TOKEN_PARSE_FAILURE', 'x'] });
  await assert.rejects(from(['vm'], '00000000000000000001,00000000000000000001', 1), { wire: ['EVENTS_LOST'] });
  await assert.rejects(xmlrpc(h.url, 'event.next', s), { wire: ['SESSION_NOT_REGISTERED', s] });
});

/** Until the call waits for events. A call that ended instead ends the test too, not only its time. */
async function asked(h: ApiHouse, call: Promise<unknown>): Promise<void> {
  let over = false;
  call.then(
    () => (over = true),
    () => (over = true),
  );
  while (h.api.services.events.waiting === 0) {
    if (over) throw new Error('the call ended before it waited', { cause: await call.catch((e: unknown) => e) });
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('logging out ends waiting calls', async () => {
  await using h = await apiHouse();
  const s = await login(h.url);
  const { token } = await xmlrpc(h.url, 'event.from', s, ['vm'], '', 1);
  const waiting = assert.rejects(xmlrpc(h.url, 'event.from', s, ['vm'], token, 60), { wire: ['SESSION_INVALID', s] });
  await asked(h, waiting);
  await jsonrpc(h.url, 'session.logout', s);
  await waiting;
  assert.equal(h.api.services.events.waiting, 0);
});

test('a client that has gone is forgotten', async () => {
  await using h = await apiHouse();
  const s = await login(h.url);
  const { token } = await xmlrpc(h.url, 'event.from', s, ['vm'], '', 1);
  const abort = new AbortController();
  const body = JSON.stringify({ id: 1, method: 'event.from', params: [s, ['vm'], token, 60] });
  const waiting = assert.rejects(fetch(`${h.url}/jsonrpc`, { method: 'POST', body, signal: abort.signal }));
  await asked(h, waiting);
  abort.abort();
  await waiting;
  while (h.api.services.events.waiting > 0) await new Promise((resolve) => setImmediate(resolve));
});

test('register, next, unregister', async () => {
  await using h = await apiHouse();
  const s = await login(h.url);
  const c = (method: string, ...params: unknown[]) => xmlrpc(h.url, method, s, ...params);
  await c('event.register', ['VM']);
  const waiting = c('event.next');
  const vm = h.db.create('VM', { name_label: 'one' });
  const [event] = await waiting;
  assert.deepEqual([event.class, event.operation, event.ref, event.snapshot.name_label], ['vm', 'add', vm, 'one']);
  assert.ok(Number(event.timestamp) > 1e9);
  assert.ok(Number(await c('event.get_current_id')) > Number(event.id));
  await c('event.unregister', ['vm']);
  await assert.rejects(c('event.next'), /SESSION_NOT_REGISTERED/);
});

test('inject is a barrier: its token is from just before, and the event follows', async () => {
  await using h = await apiHouse();
  const s = await login(h.url);
  const token = await jsonrpc(h.url, 'event.inject', s, 'pool', h.house.pool);
  const r = await jsonrpc(h.url, 'event.from', s, ['pool'], token, 20.5);
  assert.deepEqual(brief(r), [`mod pool ${h.house.pool}`]);
  await assert.rejects(jsonrpc(h.url, 'event.inject', s, 'VM', 'OpaqueRef:x'), {
    wire: ['HANDLE_INVALID', 'VM', 'OpaqueRef:x'],
  });
});

test('tasks are followed by their events', async () => {
  await using h = await apiHouse({ handlers: vmHandlersFor() });
  const s = await login(h.url);
  let { token } = await jsonrpc(h.url, 'event.from', s, ['task'], '', 1);
  const task = await jsonrpc(h.url, 'Async.VM.clone', s, h.db.create('VM', {}), 'x');
  let status = '';
  while (status !== 'success') {
    const r = await jsonrpc(h.url, 'event.from', s, ['task'], token, 20.5);
    token = r.token;
    status = r.events.find((e: Loose) => e.ref === task)?.snapshot.status ?? status;
  }
});

test('a caller that falls behind is answered every 50 ms, one that keeps up at once', async () => {
  const clock = new ManualClock(1_000_000);
  const db = await memoryDb(clock);
  const events = new Events({ db, clock });
  const never = new AbortController().signal;
  const asker = { ref: 'OpaqueRef:s', ended: new AbortController().signal, gone: () => never };
  const vm = db.create('VM', {});
  await db.durable();
  const change = async (name_label: string) => {
    db.set('VM', vm, { name_label });
    await db.durable();
  };
  const names = (batch: EventBatch) => (batch.plain() as Loose).events.map((e: Loose) => e.snapshot.name_label);
  let { token } = await events.from(asker, ['vm'], '', 1);
  for (const name of ['a', 'b', 'c']) {
    const waiting = events.from(asker, ['vm'], token, 60);
    await change(name);
    const batch = await waiting;
    assert.deepEqual(names(batch), [name], 'at once: the clock stands still');
    token = batch.token;
  }
  await change('d');
  let answered = false;
  const behind = events.from(asker, ['vm'], token, 60).then((b) => {
    answered = true;
    return b;
  });
  await clock.advance(49);
  await change('e');
  assert.equal(answered, false);
  await clock.advance(1);
  assert.deepEqual(names(await behind), ['e'], 'folded');
  assert.equal(clock.pending, 0, 'no timer is left');

  const task = db.create('task', { name_label: 't' });
  await db.durable();
  const tasks = await events.from(asker, ['task'], '', 1);
  db.set('task', task, { progress: 0.5 });
  await db.durable();
  assert.equal(
    (await events.from(asker, ['task'], tasks.token, 60)).plain() instanceof Object,
    true,
    'tasks never wait',
  );
  events.close();
});

test('a long wait outlives the memory of changes', async () => {
  const db = await memoryDb(systemClock, 10);
  const events = new Events({ db, clock: systemClock });
  const never = new AbortController().signal;
  const asker = { ref: 'OpaqueRef:s', ended: new AbortController().signal, gone: () => never };
  const [vm, pool] = [db.create('VM', {}), db.create('pool', {})];
  await db.durable();
  const { token } = await events.from(asker, [`vm/${vm}`], '', 1);
  events.register(asker, [`vm/${vm}`]);
  const waits = [events.from(asker, [`vm/${vm}`], token, 60), events.next(asker)];
  for (let i = 0; i < 100; i++) {
    db.set('pool', pool, { name_label: `n ${i}` });
    await db.durable();
  }
  await assert.rejects(events.from(asker, ['pool'], token, 1), /EVENTS_LOST/);
  db.set('VM', vm, { name_label: 'x' });
  const [batch, list] = await Promise.all(waits);
  assert.deepEqual(brief(batch?.plain()), [`mod vm ${vm}`]);
  assert.deepEqual(brief({ events: list?.plain() }), [`mod vm ${vm}`]);
  events.close();
});
