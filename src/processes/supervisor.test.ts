import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Clock, ManualClock, systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { ContractError } from '../contracts/contract.ts';
import type { ProcessInfo, ProcessSpec } from '../contracts/processes.ts';
import { rotateWhenLarge } from './child-log.ts';
import { createSupervisor, lockFile, statOf } from './index.ts';
import { bootId, isAlive } from './proc.ts';
import { type ChildRecord, Records } from './records.ts';

function bench(t: TestContext, clock: Clock = systemClock) {
  const folder = mkdtempSync(join(tmpdir(), 'processes-'));
  const log = join(folder, 'child.log');
  const all: ReturnType<typeof createSupervisor>[] = [];
  const make = () => {
    const one = createSupervisor({
      folder: join(folder, 'records'),
      version: '1',
      log: silentLog,
      onShutdown: () => undefined,
      clock,
      adoptedCheckMs: 10,
    });
    all.push(one);
    return one;
  };
  const supervisor = make();
  t.after(async () => {
    for (const one of all) {
      for (const p of await one.process.list({})) await one.process.kill({ id: p.id });
      one.leave();
    }
    rmSync(folder, { recursive: true });
  });
  const sh = (id: string, script: string, more: Partial<ProcessSpec> = {}): ProcessSpec => ({
    id,
    command: ['/bin/sh', '-c', script],
    log,
    ...more,
  });
  return { folder, log, supervisor, make, sh };
}
type Bench = ReturnType<typeof bench>;
/** The next event of that kind about that child. */
function next(supervisor: Bench['supervisor'], event: string, id: string): Promise<ProcessInfo> {
  return new Promise((resolve) => {
    const stop = supervisor.watch((e) => {
      if (e.event !== event || e.process.id !== id) return;
      stop();
      resolve(e.process);
    });
  });
}
async function untilLog(path: string, text: string): Promise<void> {
  while (!existsSync(path) || !readFileSync(path, 'utf8').includes(text)) await systemClock.sleep(5);
}
const kind = (k: string) => (e: unknown) => e instanceof ContractError && e.kind === k;

test('a child starts, its output is appended to a private log, its end is noticed with its status', async (t) => {
  const { supervisor, sh, log } = bench(t);
  const exited = next(supervisor, 'exited', 'a');
  const info = await supervisor.process.start(sh('a', 'echo out; echo err >&2; exit 3', { tags: { vm: 'x' } }));
  assert.equal(info.running, true);
  assert.deepEqual(info.tags, { vm: 'x' });
  const end = await exited;
  assert.deepEqual([end.running, end.exitCode, end.exitSignal, end.pid], [false, 3, null, info.pid]);
  assert.equal(readFileSync(log, 'utf8'), 'out\nerr\n');
  assert.equal(statSync(log).mode & 0o777, 0o600);
  await supervisor.process.forget({ id: 'a' });
  assert.deepEqual(await supervisor.process.list({}), []);
  await assert.rejects(supervisor.process.stat({ id: 'a' }), kind('Does_not_exist'));
});

test('a child leads its session, has its own environmentand folder', async (t) => {
  const { supervisor, sh, log, folder } = bench(t);
  const script = 'echo "$A|$HOME|$PWD"; readlink /proc/$$/fd/0; echo end; exec sleep 1000';
  const info = await supervisor.process.start(
    sh('a', script, { env: { A: 'ü $(b)', PATH: '/usr/bin:/bin' }, cwd: folder }),
  );
  await untilLog(log, 'end');
  assert.equal(readFileSync(log, 'utf8'), `ü $(b)||${folder}\n/dev/null\nend\n`);
  assert.equal(statOf(info.pid)?.leadsSession, true);
  assert.equal(statOf(info.pid)?.startTime, info.startTime);
});

test('what cannot be executed is refused with the reason, and leaves nothing', async (t) => {
  const { supervisor, sh, folder, log } = bench(t);
  const plain = join(folder, 'plain');
  writeFileSync(plain, 'text', { mode: 0o600 });
  const link = join(folder, 'link.log');
  symlinkSync(plain, link);
  const cases: [Partial<ProcessSpec>, RegExp][] = [
    [{ command: ['/none/such'] }, /\/none\/such did not start: no such file/],
    [{ command: ['sh'] }, /not absolute/],
    [{ command: [] }, /\(no command\)/],
    [{ command: [plain] }, /not executable/],
    [{ command: ['/bin/sh', 'a\0b'] }, /null bytes/],
    [{ command: ['/bin/true', 'x'.repeat(3_000_000)] }, /too long/],
    [{ cwd: '/none/such' }, /working folder \/none\/such does not exist/],
    [{ log: '/none/such/x.log' }, /log cannot be opened/],
    [{ log: link }, /log cannot be opened/],
    [{ id: 'x'.repeat(121) }, /121 characters/],
  ];
  for (const [part, why] of cases) {
    await assert.rejects(supervisor.process.start({ ...sh('a', 'true'), log, ...part }), (e: Error) => {
      assert.match(e.message, why);
      return kind('Failed_to_start')(e);
    });
  }
  assert.deepEqual(await supervisor.process.list({}), []);
  assert.deepEqual(new Records(join(folder, 'records')).readAll(silentLog), []);
});

test('an id that runs is refused, also when both ask at once; an ended one may be used again', async (t) => {
  const { supervisor, sh } = bench(t);
  const both = await Promise.allSettled([1, 2].map(() => supervisor.process.start(sh('../a/..', 'exec sleep 1000'))));
  assert.deepEqual(both.map((r) => r.status).sort(), ['fulfilled', 'rejected']);
  await assert.rejects(supervisor.process.start(sh('../a/..', 'true')), kind('Already_running'));
  await assert.rejects(supervisor.process.forget({ id: '../a/..' }), kind('Already_running'));
  await supervisor.process.kill({ id: '../a/..' });
  const exited = next(supervisor, 'exited', '../a/..');
  await supervisor.process.start(sh('../a/..', 'exit 0'));
  assert.equal((await exited).exitCode, 0);
});

test('stop asks first; a child that does not listen is killed after the timeout, with what it started', async (t) => {
  const clock = new ManualClock(1);
  const { supervisor, sh, log } = bench(t, clock);
  await supervisor.process.start(sh('soft', 'exec sleep 1000'));
  await supervisor.process.stop({ id: 'soft', timeoutMs: 1000 });
  assert.equal((await supervisor.process.stat({ id: 'soft' })).exitSignal, 'SIGTERM');
  await supervisor.process.start(sh('hard', 'trap "" TERM; sleep 1000 & echo child $!; wait; wait'));
  await untilLog(log, 'child');
  const grandchild = Number(readFileSync(log, 'utf8').match(/child (\d+)/)?.[1]);
  const stopped = supervisor.process.stop({ id: 'hard', timeoutMs: 1000 });
  assert.equal((await supervisor.process.stat({ id: 'hard' })).running, true);
  await clock.advance(1000);
  await stopped;
  assert.equal((await supervisor.process.stat({ id: 'hard' })).exitSignal, 'SIGKILL');
  const stat = statOf(grandchild);
  while (stat && isAlive(grandchild, stat.startTime)) await systemClock.sleep(5);
  await supervisor.process.stop({ id: 'unknown', timeoutMs: 1 });
  await supervisor.process.kill({ id: 'hard' });
});

test('restart: pauses double, a stop ends it, other children stay ended', async (t) => {
  const clock = new ManualClock(1);
  const { supervisor, sh } = bench(t, clock);
  let exited = next(supervisor, 'exited', 'a');
  await supervisor.process.start(sh('a', 'exit 1', { restart: 'permanent' }));
  for (const pause of [100, 200, 400, 800]) {
    await exited;
    await clock.advance(pause - 1);
    assert.equal((await supervisor.process.stat({ id: 'a' })).running, false, `before ${pause}`);
    const started = next(supervisor, 'started', 'a');
    exited = next(supervisor, 'exited', 'a');
    await clock.advance(1);
    await started;
  }
  await exited;
  await supervisor.process.stop({ id: 'a', timeoutMs: 1 });
  await clock.advance(100_000);
  assert.equal((await supervisor.process.stat({ id: 'a' })).running, false);
});

test('restart: a child that has come up is back at once, and begins with the first pause after that', async (t) => {
  const clock = new ManualClock(1);
  const { supervisor, sh } = bench(t, clock);
  let exited = next(supervisor, 'exited', 'a');
  await supervisor.process.start(sh('a', 'exec sleep 1000', { restart: 'permanent' }));
  await supervisor.process.ready({ id: 'unknown' });
  for (const [pause, ready] of [
    [100, false],
    [200, true],
    [10, false],
    [100, false],
  ] as const) {
    process.kill((await supervisor.process.stat({ id: 'a' })).pid, 'SIGKILL');
    await exited;
    await clock.advance(pause - 1);
    assert.equal((await supervisor.process.stat({ id: 'a' })).running, false, `before ${pause}`);
    const started = next(supervisor, 'started', 'a');
    exited = next(supervisor, 'exited', 'a');
    await clock.advance(1);
    await started;
    if (ready) await supervisor.process.ready({ id: 'a' });
  }
  await supervisor.process.kill({ id: 'a' });
});

test('a successor adopts what runs and notices its end', async (t) => {
  const { supervisor, make, sh } = bench(t);
  const first = await supervisor.process.start(sh('a', 'exec sleep 1000', { tags: { k: 'v' } }));
  supervisor.leave();
  const second = make();
  const found = await second.process.stat({ id: 'a' });
  assert.deepEqual(found, { ...first, adopted: true });
  const exited = next(second, 'exited', 'a');
  process.kill(first.pid, 'SIGKILL');
  const end = await exited;
  assert.deepEqual([end.running, end.exitCode, end.exitSignal], [false, null, null]);
});

test('a successor stops and kills what it adopted, and restarts what should run', async (t) => {
  const { supervisor, make, sh } = bench(t);
  const a = await supervisor.process.start(sh('a', 'exec sleep 1000', { restart: 'permanent' }));
  await supervisor.process.start(sh('b', 'exec sleep 1000', { restart: 'permanent' }));
  supervisor.leave();
  const second = make();
  const started = next(second, 'started', 'a');
  process.kill(a.pid, 'SIGKILL');
  assert.equal((await started).adopted, false);
  await second.process.stop({ id: 'b', timeoutMs: 5000 });
  assert.equal((await second.process.stat({ id: 'b' })).running, false);
  second.leave();
  const third = make();
  assert.equal((await third.process.stat({ id: 'a' })).running, true);
  assert.equal((await third.process.stat({ id: 'b' })).running, false);
});

test('a recycled pid, another boot and a start that was never finished are told apart', async (t) => {
  const { folder, make, sh, log } = bench(t);
  const records = new Records(join(folder, 'records'));
  const own = statOf(process.pid)!;
  const base = (id: string, more: Partial<ChildRecord>): ChildRecord => ({
    spec: sh(id, 'true', { restart: id === 'unboot' ? 'permanent' : 'temporary' }),
    token: `token-${id}-${process.pid}`,
    boot: bootId(),
    pid: process.pid,
    startTime: own.startTime,
    running: true,
    stopAsked: false,
    exitCode: null,
    exitSignal: null,
    order: 0,
    restarts: 0,
    waiting: false,
    failed: null,
    logFrom: 0,
    ...more,
  });
  records.write(base('recycled', { startTime: '1' }));
  records.write(base('unboot', { boot: 'another' }));
  records.write(base('never', { pid: 0, startTime: '', running: false }));
  const lost = base('lost', { pid: 0, startTime: '', running: false });
  records.write(lost);
  const child = spawn('/bin/sh', ['-c', 'sleep 1000 & wait'], {
    detached: true,
    stdio: 'ignore',
    env: { PATH: '/usr/bin:/bin', GUESTHOUSE_CHILD: lost.token },
  });
  writeFileSync(join(folder, 'records', '=damaged.json'), '{');
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const supervisor = make();
  const running = (await supervisor.process.list({})).map((p) => [p.id, p.running]);
  assert.deepEqual(Object.fromEntries(running), { recycled: false, unboot: false, never: false, lost: true });
  assert.equal((await supervisor.process.stat({ id: 'lost' })).pid, child.pid);
  await supervisor.process.kill({ id: 'recycled' });
  await supervisor.process.kill({ id: 'lost' });
  await exited;
  assert.equal(existsSync(log), false);
});

test('shutdown stops the children only when told', async (t) => {
  const { supervisor, make, sh } = bench(t);
  const info = await supervisor.process.start(sh('a', 'exec sleep 1000'));
  await supervisor.supervisor.shutdown({ children: false });
  assert.equal(isAlive(info.pid, info.startTime), true);
  const second = make();
  await second.supervisor.shutdown({ children: true });
  assert.equal(isAlive(info.pid, info.startTime), false);
});

test('as root a child runs as another user', { skip: process.getuid?.() !== 0 && 'needs root' }, async (t) => {
  const { supervisor, sh, log } = bench(t);
  const exited = next(supervisor, 'exited', 'a');
  await supervisor.process.start(sh('a', 'id -u; id -g; id -G', { uid: 65534, gid: 65533 }));
  await exited;
  assert.equal(readFileSync(log, 'utf8'), '65534\n65533\n65533\n');
});

test('a log that has grown is put aside while the child goes on writing', async (t) => {
  const { supervisor, sh, log } = bench(t);
  await supervisor.process.start(sh('a', 'echo one; read x < "$FIFO"; echo two', { env: { FIFO: fifo(t) } }));
  await untilLog(log, 'one');
  assert.equal(rotateWhenLarge(log, 100), false);
  assert.equal(rotateWhenLarge(log, 3), true);
  const exited = next(supervisor, 'exited', 'a');
  writeFileSync(fifos.get(t)!, 'go\n');
  await exited;
  assert.deepEqual([readFileSync(`${log}.1`, 'utf8'), readFileSync(log, 'utf8')], ['one\n', 'two\n']);
});
const fifos = new WeakMap<TestContext, string>();
function fifo(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'fifo-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'd'));
  const path = join(folder, 'd', 'fifo');
  spawn('/usr/bin/mkfifo', [path]).once('exit', () => undefined);
  fifos.set(t, path);
  while (!existsSync(path)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  return path;
}

test('a lock is held by one, and free when its holder lets go', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lock-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'a', 'lock');
  const unlock = lockFile(path);
  assert.ok(unlock);
  assert.equal(lockFile(path), undefined);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  unlock();
  lockFile(path)?.();
});

test('a lock outlives the collection of garbage', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lock-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = `
    const { lockFile } = await import(${JSON.stringify(join(import.meta.dirname, 'lock.ts'))});
    const path = process.argv[1];
    if (!lockFile(path)) process.exit(3);
    for (let i = 0; i < 5; i++) { globalThis.gc(); await new Promise(setImmediate); }
    const other = (await import('node:child_process')).spawnSync(process.execPath, ['-e', ${JSON.stringify(
      `import(${JSON.stringify(join(import.meta.dirname, 'lock.ts'))}).then((l) => process.exit(l.lockFile(process.argv[1]) ? 1 : 0))`,
    )}, path]);
    process.exit(other.status);`;
  const args = [
    '--disable-warning=ExperimentalWarning',
    '--expose-gc',
    '--input-type=module',
    '-e',
    script,
    join(folder, 'lock'),
  ];
  assert.equal(spawnSync(process.execPath, args, { stdio: 'inherit' }).status, 0);
});
