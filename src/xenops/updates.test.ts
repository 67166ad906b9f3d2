import assert from 'node:assert/strict';
import test from 'node:test';
import { ManualClock, settle } from '../base/clock.ts';
import { Tasks } from './tasks.ts';
import { type Changed, Updates } from './updates.ts';

const vm = (id: string): Changed => ({ kind: 'vm', vm: id, id: '' });
const never = new AbortController().signal;
const made = () => {
  const clock = new ManualClock();
  return { clock, updates: new Updates(clock) };
};

test('repeated changes collapse to the newest; a removed object leaves without a word', async () => {
  const { updates } = made();
  for (const id of ['a', 'b', 'a', 'c']) updates.touch(vm(id));
  updates.drop(vm('c'));
  const page = await updates.get(0, undefined, never);
  assert.deepEqual([page.changed.map((o) => o.vm), page.last, updates.lastId], [['b', 'a'], 3, 5]);
  assert.deepEqual((await updates.get(2, 0, never)).changed, [vm('a')]);
});

test('it waits until something changes, until its time is over, or until nobody waits for the answer', async () => {
  const { clock, updates } = made();
  const waiting = updates.get(0, 30, never);
  await settle();
  updates.touch(vm('a'));
  assert.deepEqual((await waiting).changed, [vm('a')]);
  const late = updates.get(1, 30, never);
  await clock.advance(30_000);
  assert.deepEqual(await late, { barriers: [], changed: [], last: 1 });
  const gone = new AbortController();
  const left = updates.get(1, undefined, gone.signal);
  gone.abort();
  assert.equal((await left).last, 1);
  assert.equal(clock.pending, 0);
});

test('a barrier holds what changed of its VM before it, not after', async () => {
  const { updates } = made();
  updates.touch(vm('a'));
  updates.touch(vm('b'));
  updates.injectBarrier('a', 7);
  updates.touch(vm('a'));
  const page = await updates.get(0, 0, never);
  assert.deepEqual(page.barriers, [{ id: 7, changed: [vm('a')] }]);
  assert.deepEqual([page.changed.map((o) => o.vm), page.last], [['b', 'a'], 4]);
  updates.removeBarrier(7);
  assert.deepEqual((await updates.get(0, 0, never)).barriers, []);
});

test('tasks: progress, results, failures, cancel, and gone when nobody wants them', async () => {
  const told: string[] = [];
  const tasks = new Tasks(new ManualClock(), (id, gone) => told.push(`${id}${gone ? ' gone' : ''}`));
  const gate = Promise.withResolvers<string>();
  const id = tasks.run('me', 'VM.start', async (call) => {
    call.progress?.(0.5);
    call.progress?.(0.2);
    return gate.promise;
  });
  assert.deepEqual(tasks.stat(id).state, { state: 'pending', progress: 0.5 });
  gate.resolve('done');
  await settle();
  assert.deepEqual(tasks.stat(id).state, { state: 'completed', durationS: 0, result: 'done' });
  const hung = tasks.run('me', 'VM.stop', (call) => {
    return new Promise((_, reject) => call.signal?.addEventListener('abort', () => reject(call.signal?.reason)));
  });
  tasks.destroyOnFinish(hung);
  tasks.cancel(hung);
  await settle();
  assert.throws(() => tasks.stat(hung), { kind: 'Does_not_exist' });
  tasks.destroy(id);
  assert.deepEqual(tasks.list(), []);
  assert.deepEqual(told.slice(-2), ['1 gone', '0 gone']);
});

test('a task is cancelled at the look that was chosen for it, once', async () => {
  const tasks = new Tasks(new ManualClock(), () => undefined);
  const work = async (call: { signal?: AbortSignal; progress?: (n: number) => void }) => {
    for (const fraction of [0.3, 0.6, 0.9]) {
      call.signal?.throwIfAborted();
      call.progress?.(fraction);
    }
  };
  tasks.cancelAt('mine', 3);
  const ids = ['other', 'mine', 'mine'].map((label) => tasks.run(label, 'VM.start', work));
  await settle();
  assert.deepEqual(
    ids.map((id) => [tasks.stat(id).state.state, tasks.stat(id).cancelPoints]),
    [
      ['completed', 4],
      ['failed', 3],
      ['completed', 4],
    ],
  );
  for (const n of [0, 1.5, Number.NaN]) assert.throws(() => tasks.cancelAt('mine', n), /Bad_spec|number from 1/);
});
