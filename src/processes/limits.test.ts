import assert from 'node:assert/strict';
import {
  accessSync,
  appendFileSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ManualClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import type { ProcessInfo, ProcessSpec } from '../contracts/processes.ts';
import { confine } from './cgroups.ts';
import { limitGrowth, rotateWhenLarge } from './child-log.ts';
import { createSupervisor } from './index.ts';

const root = '/sys/fs/cgroup';
/** Waits until the supervisor has put it into its group; without starting anything. */
const confined =
  'until [ "$in" ]; do while read -r line; do case $line in *guesthouse-*) in=1; esac; done < /proc/self/cgroup; done';
function noLimits(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  try {
    for (const at of existsSync(`${root}/cgroup.controllers`)
      ? [root]
      : ['memory', 'cpu', 'pids'].map((c) => `${root}/${c}`))
      accessSync(at, constants.W_OK);
    return false;
  } catch {
    return 'the control groups of this host cannot be written to';
  }
}
function bench(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'limits-'));
  const options = { folder: join(folder, 'records'), version: '1', log: silentLog };
  const supervisor = createSupervisor({ ...options, onShutdown: () => undefined });
  t.after(async () => {
    await supervisor.supervisor.shutdown({ children: true });
    rmSync(folder, { recursive: true });
  });
  const log = join(folder, 'log');
  const run = async (script: string, more: Partial<ProcessSpec>): Promise<ProcessInfo & { said: string }> => {
    const end = new Promise<ProcessInfo>((resolve) => {
      supervisor.watch(({ event, process }) => event === 'exited' && resolve(process));
    });
    await supervisor.process.start({ id: 'a', command: ['/bin/sh', '-c', script], log, ...more });
    return { ...(await end), said: readFileSync(log, 'utf8') };
  };
  return { folder, supervisor, run };
}

test('a child cannot have more memory than its limit', { skip: noLimits() }, async (t) => {
  const { run } = bench(t);
  const limits = { memory: 16 * 2 ** 20, cpus: 0.5, processes: 8 };
  const end = await run(`${confined}; head -c 200000000 /dev/zero | tail -c 100000000 > /dev/null; echo $?`, {
    limits,
  });
  assert.match(end.said, /137/);
});

test('a child cannot start more processes than its limit', { skip: noLimits() }, async (t) => {
  const { run } = bench(t);
  const end = await run(`${confined}; for i in 1 2 3 4; do sleep 0.2 & done; wait`, { limits: { processes: 3 } });
  assert.match(end.said, /fork/i);
});

test('a successor drops the group of what it adopted', { skip: noLimits() }, async (t) => {
  const { folder, supervisor } = bench(t);
  const spec = { id: 'b', command: ['/bin/sleep', '1000'], log: join(folder, 'b.log'), limits: { processes: 5 } };
  const { pid } = await supervisor.process.start(spec);
  const path = /pids.*:(\/.*guesthouse-.*)|0::(\/.*guesthouse-.*)/.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
  const group = path?.[1] ? join(root, 'pids', path[1]) : join(root, path?.[2] ?? 'none');
  assert.ok(existsSync(group), group);
  supervisor.leave();
  const options = { folder: join(folder, 'records'), version: '1', log: silentLog, adoptedCheckMs: 10 };
  const successor = createSupervisor({ ...options, onShutdown: () => undefined });
  await successor.process.kill({ id: 'b' });
  await supervisor.process.kill({ id: 'b' });
  successor.leave();
  assert.equal(existsSync(group), false);
});

test('version 2: the folder, its controllers and limits', (t) => {
  const at = mkdtempSync(join(tmpdir(), 'cgroup2-'));
  t.after(() => rmSync(at, { recursive: true }));
  writeFileSync(join(at, 'cgroup.controllers'), 'cpu memory pids\n');
  const confined = confine('owner', 'a', { memory: 1024, cpus: 1.5 }, at);
  assert.equal(readFileSync(join(at, 'cgroup.subtree_control'), 'utf8'), '+memory +cpu');
  confined.take(process.pid);
  const found = ['memory.max', 'cpu.max', 'cgroup.procs'].map((name) => readFileSync(findLeaf(at, name), 'utf8'));
  assert.deepEqual(found.slice(0, 2), ['1024', '150000 100000']);
  writeFileSync(join(at, 'cgroup.controllers'), 'cpu\n');
  assert.throws(() => confine('owner', 'a', { memory: 1024 }, at), /no controller memory/);
  mkdirSync(join(at, 'empty'));
  assert.throws(() => confine('owner', 'a', { memory: 1024 }, join(at, 'empty')), /no control group memory/);
});
/** Two folders below. */
function findLeaf(at: string, name: string): string {
  const family = readdirSync(at).find((each) => each.startsWith('guesthouse-')) ?? '';
  const own = readdirSync(join(at, family), { withFileTypes: true }).find((each) => each.isDirectory())?.name ?? '';
  return join(at, family, own, name);
}

test('namespaces: the network is its own, the rest the host’s', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async (t) => {
  const { run } = bench(t);
  const { said } = await run('readlink /proc/self/ns/net /proc/self/ns/uts', { namespaces: ['network', 'mount'] });
  const [net, uts] = said.trim().split('\n');
  assert.notEqual(net, readlinkSync('/proc/self/ns/net'));
  assert.equal(uts, readlinkSync('/proc/self/ns/uts'));
});

test('processes of its own: it is the first, and all of them end with it', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async (t) => {
  const { supervisor, folder, run } = bench(t);
  const { said } = await run('echo $$ /proc/[0-9]*', { namespaces: ['pid'] });
  assert.equal(said, '1 /proc/1\n');
  const log = join(folder, 'more');
  const script = 'trap "exit 3" TERM; sleep 1000 & echo up; while :; do wait; done';
  const spec = { id: 'b', command: ['/bin/sh', '-c', script], log, namespaces: ['pid' as const] };
  const { pid } = await supervisor.process.start(spec);
  while (!existsSync(log) || readFileSync(log, 'utf8') !== 'up\n')
    await new Promise((resolve) => setImmediate(resolve));
  const [inner = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  assert.equal((await supervisor.supervisor.tree({})).find((n) => n.id === 'b')?.pid, pid);
  await supervisor.process.stop({ id: 'b', timeoutMs: 60_000 });
  assert.equal((await supervisor.process.stat({ id: 'b' })).exitCode, 3);
  assert.equal(existsSync(`/proc/${inner}`), false);
});

test('a log grows by so much in a second, and says what is left out', (t) => {
  const { folder } = bench(t);
  const path = join(folder, 'fast');
  writeFileSync(path, 'begin\n');
  const first = limitGrowth(path, 10, undefined, 0);
  assert.deepEqual(first, { size: 6, at: 0 });
  appendFileSync(path, '123456789\n');
  const second = limitGrowth(path, 10, first, 1000);
  assert.deepEqual(second, { size: 16, at: 1000 });
  appendFileSync(path, 'x'.repeat(100));
  const third = limitGrowth(path, 10, second, 3000);
  const text = readFileSync(path, 'utf8');
  assert.equal(text, `begin\n123456789\n${'x'.repeat(20)}\n[80 bytes are left out: more than 10 in a second]\n`);
  assert.equal(third.size, text.length);
  // It was put aside meanwhile: what is new counts from there.
  writeFileSync(path, 'y');
  assert.deepEqual(limitGrowth(path, 10, third, 4000), { size: 1, at: 4000 });
});

test('a child that prints without end fills no disk', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'limits-'));
  const clock = new ManualClock(1);
  const options = { folder: join(folder, 'records'), version: '1', log: silentLog, clock };
  const supervisor = createSupervisor({ ...options, onShutdown: () => undefined });
  t.after(async () => {
    await supervisor.process.kill({ id: 'a' });
    supervisor.leave();
    rmSync(folder, { recursive: true });
  });
  const log = join(folder, 'log');
  await supervisor.process.start({ id: 'a', command: ['/usr/bin/yes'], log, logRate: 1000 });
  const size = () => statSync(log).size;
  await clock.advance(1000);
  for (let round = 0; round < 3; round++) {
    const before = size();
    while (size() < before + 100_000) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(1000);
  }
  await supervisor.process.kill({ id: 'a' });
  assert.match(readFileSync(log, 'utf8'), /\[\d{6,} bytes are left out: more than 1000 in a second\]\n/);
});

test('as many old logs are kept as told', (t) => {
  const { folder } = bench(t);
  const path = join(folder, 'rotated');
  for (const text of ['one', 'two', 'three', 'four']) {
    writeFileSync(path, text);
    rotateWhenLarge(path, 1, 2);
  }
  assert.deepEqual([readFileSync(`${path}.1`, 'utf8'), readFileSync(`${path}.2`, 'utf8')], ['four', 'three']);
  assert.equal(existsSync(`${path}.3`), false);
});
