import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { ContractError } from '../contracts/contract.ts';
import type { ProcessGroup, ProcessSpec } from '../contracts/processes.ts';
import { createSupervisor, type Supervisor } from './index.ts';

function bench(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'groups-'));
  const all: Supervisor[] = [];
  const make = () => {
    const options = { folder: join(folder, 'records'), version: '1', log: silentLog, adoptedCheckMs: 10 };
    const one = createSupervisor({ ...options, onShutdown: () => undefined });
    all.push(one);
    return one;
  };
  t.after(async () => {
    // The one that is at work first, so that none is started again; then those whose children they were.
    for (const one of all.reverse()) {
      for (const p of await one.process.list({})) await one.process.kill({ id: p.id });
      one.leave();
    }
    rmSync(folder, { recursive: true });
  });
  const sh = (id: string, script: string, more: Partial<ProcessSpec> = {}): ProcessSpec => ({
    id,
    command: ['/bin/sh', '-c', script],
    log: join(folder, `${id}.log`),
    restart: 'permanent',
    stopMs: 5000,
    ...more,
  });
  const group = (id: string, more: Partial<ProcessGroup> = {}): ProcessGroup => ({
    id,
    strategy: 'one-for-one',
    restarts: 100,
    withinMs: 1000,
    ...more,
  });
  return { folder, make, sh, group };
}
const sleeper = 'exec sleep 1000';
/** Waits until every child's state is as told. */
async function until(s: Supervisor, states: Readonly<Record<string, string>>): Promise<void> {
  for (;;) {
    const now = Object.fromEntries((await s.supervisor.tree({})).map((p) => [p.id, p.state]));
    if (Object.entries(states).every(([id, state]) => now[id] === state)) return;
    await systemClock.sleep(5);
  }
}
const pids = async (s: Supervisor) => Object.fromEntries((await s.process.list({})).map((p) => [p.id, p.pid]));
const kind = (k: string) => (e: unknown) => e instanceof ContractError && e.kind === k;

test('rest for one: what was started after the one that ended is started again, the rest is not touched', async (t) => {
  const { make, sh, group } = bench(t);
  const s = make();
  await s.group.define(group('g', { strategy: 'rest-for-one' }));
  for (const id of ['a', 'b', 'c']) await s.process.start(sh(id, sleeper, { group: 'g' }));
  const before = await pids(s);
  process.kill(before['b']!, 'SIGKILL');
  for (;;) {
    const now = await pids(s);
    if (now['b'] !== before['b'] && now['c'] !== before['c']) break;
    await systemClock.sleep(5);
  }
  await until(s, { a: 'up', b: 'up', c: 'up' });
  assert.equal((await pids(s))['a'], before['a']);
});

test('a successor knows the groups, their order, and who waits for whom', async (t) => {
  const { make, sh, group } = bench(t);
  const first = make();
  await first.group.define(group('top'));
  await first.group.define(group('g', { strategy: 'all-for-one', parent: 'top' }));
  for (const id of ['z', 'a']) await first.process.start(sh(id, sleeper, { group: 'g' }));
  const waiting = await first.process.start(sh('w', sleeper, { after: ['late'] }));
  assert.deepEqual([waiting.running, waiting.pid], [false, 0]);
  const before = await pids(first);
  first.leave();
  const s = make();
  assert.deepEqual(
    (await s.supervisor.tree({})).map((p) => [p.id, p.state, p.note]),
    [
      ['z', 'up', ''],
      ['a', 'up', ''],
      ['w', 'waiting', 'waits for late'],
    ],
  );
  await s.process.start(sh('late', sleeper));
  await until(s, { w: 'up' });
  process.kill(before['a']!, 'SIGKILL');
  for (;;) {
    const now = await pids(s);
    if (now['a'] !== before['a'] && now['z'] !== before['z']) break;
    await systemClock.sleep(5);
  }
  await until(s, { a: 'up', z: 'up' });
});

test('a child that crashes in a loop is stopped, and its last words are kept, also for a successor', async (t) => {
  const { make, sh } = bench(t);
  const s = make();
  const gaveUp = new Promise<string | undefined>((resolve) => {
    s.watch(({ event, process }) => event === 'failed' && resolve(process.failed));
  });
  await s.process.start(sh('loop', 'echo I am here; echo but the disk is gone >&2; exit 3', { tries: 2 }));
  const expected = 'loop ended 3 times in a row before it was up; its last words:\nI am here\nbut the disk is gone';
  assert.equal(await gaveUp, expected);
  s.leave();
  const [node] = await make().supervisor.tree({});
  assert.deepEqual([node?.state, node?.note, node?.restarts], ['failed', expected, 2]);
});

test('readiness: a line of the log, a socket, its own word; one that is late is killed', async (t) => {
  const { folder, make, sh } = bench(t);
  const s = make();
  const socket = join(folder, 's.sock');
  const serve = `require('node:net').createServer().listen(process.argv[1])`;
  await s.process.start(sh('line', `echo now ready; ${sleeper}`, { ready: { kind: 'line', text: 'now ready' } }));
  await s.process.start(sh('said', sleeper, { ready: { kind: 'said' }, after: ['line'] }));
  await s.process.start({
    ...sh('socket', ''),
    command: [process.execPath, '-e', serve, socket],
    ready: { kind: 'socket', path: socket },
    after: ['said'],
  });
  await until(s, { line: 'up', said: 'starting', socket: 'waiting' });
  await s.process.ready({ id: 'said' });
  await until(s, { socket: 'up' });
  const late = { ready: { kind: 'line', text: 'never' }, readyMs: 20, tries: 1 } as const;
  await s.process.start(sh('late', sleeper, late));
  await until(s, { late: 'failed' });
});

test('groups form a tree; what has no group or would be in a circle is refused', async (t) => {
  const { make, sh, group } = bench(t);
  const s = make();
  await assert.rejects(s.process.start(sh('a', sleeper, { group: 'none' })), kind('Group_unknown'));
  await assert.rejects(s.group.define(group('a', { parent: 'none' })), kind('Group_unknown'));
  await s.group.define(group('a'));
  await s.group.define(group('b', { parent: 'a' }));
  await assert.rejects(s.group.define(group('a', { parent: 'b' })), kind('Group_impossible'));
  await assert.rejects(s.group.define(group('')), kind('Group_impossible'));
  await s.process.start(sh('x', sleeper, { group: 'b' }));
  await assert.rejects(s.group.remove({ id: 'b' }), /x would be without it/);
  await assert.rejects(s.group.remove({ id: 'a' }), /b would be without it/);
  await s.process.kill({ id: 'x' });
  await s.process.forget({ id: 'x' });
  await s.group.remove({ id: 'b' });
  await s.group.remove({ id: 'none' });
  assert.deepEqual(await s.group.list({}), [group('a')]);
});

test('the signal that asks a child to end is its own', async (t) => {
  const { make, sh } = bench(t);
  const s = make();
  const script = 'trap "exit 7" USR1; echo up; while :; do sleep 0.01; done';
  await s.process.start(sh('a', script, { stopSignal: 'SIGUSR1', ready: { kind: 'line', text: 'up' } }));
  await until(s, { a: 'up' });
  await s.process.stop({ id: 'a', timeoutMs: 60_000 });
  assert.equal((await s.process.stat({ id: 'a' })).exitCode, 7);
});
