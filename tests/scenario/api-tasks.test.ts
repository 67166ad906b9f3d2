/** Asynchronous calls, cancelling, clients' tasks, what a restart leaves, what expires. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../src/base/clock.ts';
import type { Db } from '../../src/db/db.ts';
import { emptyDisk } from '../../src/store/memory.ts';
import { vmHandlersFor } from './api-fakes.ts';
import { apiHouse, jsonrpc, type Loose, login, xmlrpc } from './api-house.ts';

/** Resolves with the first answer of `f`, asked now and after each commit. */
function until<T>(db: Db, f: () => T | undefined): Promise<T> {
  return new Promise((resolve) => {
    const look = () => {
      const found = f();
      if (found === undefined) return;
      stop();
      resolve(found);
    };
    const stop = db.watch(look);
    look();
  });
}
/** The record of the task when it has ended. */
const ended = (db: Db, ref: string): Promise<Loose> =>
  until(db, () => {
    const t = db.find('task', ref);
    return t && t.status !== 'pending' && t.status !== 'cancelling' ? t : undefined;
  });

test('success, failure and cancel', async () => {
  await using h = await apiHouse({ handlers: vmHandlersFor() });
  const s = await login(h.url);
  const vm = h.db.create('VM', { name_label: 'one', power_state: 'Running' });
  const halted = h.db.create('VM', { name_label: 'two' });
  const c = (method: string, ...params: unknown[]) => xmlrpc(h.url, method, s, ...params);

  const good = await ended(h.db, await c('Async.VM.clone', halted, 'x'));
  assert.deepEqual(
    [good.status, good.result, good.progress, good.allowed_operations],
    ['success', `<value>${halted}</value>`, 1, []],
  );
  assert.equal(good.name_label, 'Async.VM.clone');
  assert.notEqual(good.finished, '19700101T00:00:00Z');

  const bad = await ended(h.db, await c('Async.VM.start', halted, false, false));
  assert.deepEqual(
    [bad.status, bad.error_info, bad.result],
    ['failure', ['VM_BAD_POWER_STATE', halted, 'halted', 'running'], ''],
  );

  const long = await c('Async.VM.suspend', vm);
  assert.deepEqual(await c('task.get_allowed_operations', long), ['cancel']);
  assert.equal(await c('task.get_progress', long), 0.5);
  await c('task.destroy', long);
  assert.ok(h.db.has('task', long), 'a running task is destroyed when it ends');
  assert.deepEqual(h.db.get('VM', vm).current_operations, { [long]: 'suspend' });
  await c('task.cancel', long);
  await until(h.db, () => (h.db.has('task', long) ? undefined : true));
  assert.deepEqual(h.db.get('VM', vm).current_operations, {});

  const cancelled = await c('Async.VM.suspend', vm);
  await c('task.cancel', cancelled);
  const end = await ended(h.db, cancelled);
  assert.deepEqual([end.status, end.error_info], ['cancelled', ['TASK_CANCELLED', cancelled]]);
  await assert.rejects(c('task.cancel', cancelled), /OPERATION_NOT_ALLOWED/);
  await c('task.destroy', cancelled);
  await assert.rejects(c('task.get_status', cancelled), /HANDLE_INVALID/);
});

test("a client's own task", async () => {
  await using h = await apiHouse();
  const s = await login(h.url);
  const c = (method: string, ...params: unknown[]) => jsonrpc(h.url, method, s, ...params);
  const ref = await c('task.create', 'label', 'words');
  assert.equal(await c('task.get_status', ref), 'pending');
  await c('task.set_progress', ref, 0.25);
  await assert.rejects(c('task.set_progress', ref, 2), {
    wire: ['INVALID_VALUE', 'value', '2: progress goes from 0 to 1'],
  });
  await c('task.add_to_other_config', ref, 'k', 'v');
  await c('task.set_result', ref, 'done');
  await c('task.set_status', ref, 'success');
  const t = await c('task.get_record', ref);
  assert.deepEqual(
    [t.status, t.progress, t.result, t.other_config, t.session],
    ['success', 1, 'done', { k: 'v' }, undefined],
  );
  await assert.rejects(c('task.cancel', ref), /OPERATION_NOT_ALLOWED/);
});

test('a restart ends what ran, keeps results and alerts', async () => {
  const disk = emptyDisk();
  let running = '';
  let finished = '';
  let message = '';
  {
    await using h = await apiHouse({ disk, handlers: vmHandlersFor({ suspend: () => new Promise(() => undefined) }) });
    const s = await login(h.url);
    const vm = h.db.create('VM', { power_state: 'Running' });
    running = await xmlrpc(h.url, 'Async.VM.suspend', s, vm);
    finished = await xmlrpc(h.url, 'Async.VM.clone', s, h.db.create('VM', {}), 'x');
    await ended(h.db, finished);
    message = await xmlrpc(
      h.url,
      'message.create',
      s,
      'VM_STARTED',
      5,
      'Pool',
      h.db.get('pool', h.house.pool).uuid,
      'body',
    );
  }
  await using h = await apiHouse({ disk });
  const s = await login(h.url);
  const t = await jsonrpc(h.url, 'task.get_record', s, running);
  assert.equal(t.status, 'failure');
  assert.deepEqual(t.error_info[0], 'INTERNAL_ERROR');
  assert.match(t.error_info[1], /restarted/);
  assert.equal((await jsonrpc(h.url, 'task.get_record', s, finished)).status, 'success');
  assert.equal((await jsonrpc(h.url, 'message.get_record', s, message)).body, 'body');
});

test('finished tasks go after 65 minutes, idle sessions after a day', async () => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  await using h = await apiHouse({ clock, handlers: vmHandlersFor() });
  const s = await login(h.url);
  const vm = h.db.create('VM', {});
  const task = await xmlrpc(h.url, 'Async.VM.clone', s, vm, 'x');
  await ended(h.db, task);
  await clock.advance(64 * 60_000);
  assert.ok(h.db.has('task', task));
  await clock.advance(2 * 60_000);
  assert.ok(!h.db.has('task', task));
  assert.equal(await xmlrpc(h.url, 'VM.get_by_uuid', s, h.db.get('VM', vm).uuid), vm);
  await clock.advance(25 * 3600_000);
  assert.equal(h.db.count('session'), 0);
  await assert.rejects(xmlrpc(h.url, 'VM.get_all', s), /SESSION_INVALID/);
});

test('the pool is reported from time to time, though nothing in it changed', async () => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  await using h = await apiHouse({ clock });
  const s = await login(h.url);
  const { token } = await jsonrpc(h.url, 'event.from', s, ['pool'], '', 0);
  const answer = jsonrpc(h.url, 'event.from', s, ['pool'], token, 300);
  while (h.api.services.events.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(60_000);
  const { events } = await answer;
  assert.deepEqual(
    events.map((e: Loose) => [e.class, e.operation, e.ref]),
    [['pool', 'mod', h.house.pool]],
  );
});
