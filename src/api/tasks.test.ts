import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../base/clock.ts';
import { seededIds } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import { classes } from '../datamodel/index.ts';
import { openDb } from '../db/memory-db.ts';
import type { TaskHandle } from './context.ts';
import { Tasks } from './tasks.ts';

const nowhere: Parameters<typeof openDb>[0]['store'] = {
  // biome-ignore lint/correctness/useYield: an empty store
  async *load() {
    return;
  },
  tables: async () => [],
  commit: async () => undefined,
  revision: async () => 0,
  close: async () => undefined,
};

test('progress is written now and then, and the last of a burst in any case', async () => {
  const clock = new ManualClock(1_000_000);
  const encode = { xml: () => Buffer.alloc(0), json: () => Buffer.alloc(0) };
  const db = await openDb({ store: nowhere, classes, clock, ids: seededIds(), log: silentLog, encode });
  const tasks = new Tasks({ db, clock, ids: seededIds(), host: db.create('host', {}) });
  const ref = tasks.create({ label: 'upload', session: 'OpaqueRef:s' });
  const progress = () => db.get('task', ref).progress;
  const { promise, resolve } = Promise.withResolvers<void>();
  let task: TaskHandle | undefined;
  const ended = tasks.run(
    ref,
    (handle) => {
      task = handle;
      return promise;
    },
    () => '',
  );
  task?.progress(0.1);
  assert.equal(progress(), 0.1);
  task?.progress(0.2);
  task?.progress(0.47);
  assert.equal(progress(), 0.1, 'not a write for each');
  await clock.advance(1000);
  assert.equal(progress(), 0.47, 'what stalls shows how far it came');
  task?.progress(0.8);
  task?.progress(0.9);
  resolve();
  await ended;
  assert.deepEqual([progress(), db.get('task', ref).status], [1, 'success']);
  await clock.advance(1000);
  assert.deepEqual([progress(), clock.pending], [1, 0], 'nothing is written after the end');
});
