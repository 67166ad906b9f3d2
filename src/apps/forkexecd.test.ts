import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { type ProcessNode, processesContract } from '../contracts/processes.ts';
import { statOf } from '../processes/index.ts';
import { connectContract } from '../rpc/index.ts';
import { places } from './places.ts';

const command = join(import.meta.dirname, '../../bin/forkexecd');

function bench(t: TestContext) {
  const at = places(mkdtempSync(join(tmpdir(), 'forkexecd-')));
  const config = join(at.data, 'forkexecd.conf');
  const api = connectContract(processesContract, at.supervisorSocket, { connectTimeoutMs: 20_000 });
  const all: ChildProcess[] = [];
  t.after(async () => {
    if (all.at(-1)?.exitCode === null) {
      const over = ended(all.at(-1)!);
      await api.supervisor.shutdown({ children: true });
      await over;
    }
    api.close();
    rmSync(at.data, { recursive: true });
  });
  const track = (child: ChildProcess) => void all.push(child);
  /** Answers when all that is declared was started. */
  const up = async (...more: string[]) => {
    const child = spawn(command, ['--data', at.data, '--config', config, ...more], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    all.push(child);
    let said = '';
    child.stderr.on('data', (d: Buffer) => (said += d.toString()));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    return { child, said: () => said };
  };
  const until = async (fits: (nodes: Readonly<Record<string, ProcessNode>>) => boolean) => {
    for (;;) {
      const nodes = Object.fromEntries((await api.supervisor.tree({})).map((node) => [node.id, node]));
      if (fits(nodes)) return nodes;
      await systemClock.sleep(5);
    }
  };
  return { at, api, up, until, track, write: (text: string) => writeFileSync(config, text), config };
}
const ended = (child: ChildProcess) => new Promise((resolve) => child.once('exit', resolve));

test('what is declared runs; what is declared otherwise is started anew, what is no longer is stopped', async (t) => {
  const { up, until, write, at } = bench(t);
  write(`[group g]
strategy = rest-for-one
[child kept]
command = /bin/sleep 1000
[child changed]
command = /bin/sleep 1001
group = g
[child gone]
command = /bin/sleep 1002
after = kept
[child once]
command = /bin/sh -c "echo ran"
restart = transient
[child wrong]
command = /none/such
`);
  const { child, said } = await up();
  const before = await until((n) => n['gone']?.state === 'up' && n['once']?.state === 'ended');
  assert.match(said(), /forkexecd: wrong: \/none\/such did not start: no such file/);
  write(`[child kept]
command = /bin/sleep 1000
[child changed]
command = /bin/sleep 2001
[child once]
command = /bin/sh -c "echo ran"
restart = transient
[child broken]
command = /bin/false
tries = 1
`);
  child.kill('SIGHUP');
  const after = await until((n) => n['gone'] === undefined && n['broken']?.state === 'failed');
  assert.equal(after['kept']?.pid, before['kept']?.pid);
  assert.notEqual(after['changed']?.pid, before['changed']?.pid);
  assert.equal(readFileSync(at.output('once'), 'utf8'), 'ran\n');
});

test('TERM leaves the children to the next one; with --with-children they end too', async (t) => {
  const { up, until, write } = bench(t);
  write('[child a]\ncommand = /bin/sleep 1000\n');
  const first = await up();
  const { a } = await until((n) => n['a']?.state === 'up');
  first.child.kill('SIGTERM');
  assert.equal(await ended(first.child), 0);
  const second = await up('--with-children');
  const found = await until((n) => n['a']?.state === 'up');
  assert.deepEqual([found['a']?.pid, found['a']?.adopted], [a?.pid, true]);
  second.child.kill('SIGTERM');
  assert.equal(await ended(second.child), 0);
  assert.notEqual(statOf(a!.pid)?.zombie, false);
});

test('a mistake in the configuration is told with its place; nothing is started', (t) => {
  const { at, config, write } = bench(t);
  write('[child a]\ncommand = sleep 1000\n');
  const { status, stderr } = spawnSync(command, ['--data', at.data, '--config', config], { encoding: 'utf8' });
  assert.equal(stderr, `${config}:2:11: command: sleep is no absolute path\n`);
  assert.equal(status, 1);
  assert.equal(existsSync(at.run), false);
});

test('a child has the standard descriptors and no other', async (t) => {
  const { until, write, at, config, track } = bench(t);
  write('[child a]\ncommand = /bin/sleep 1000\n');
  // Whoever starts the supervisor may have left descriptors open.
  const script = 'exec 7</dev/null 99</dev/null; exec "$@"';
  const supervisor = spawn('/bin/bash', ['-c', script, 'x', command, '--data', at.data, '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  track(supervisor);
  await new Promise((resolve) => supervisor.stdout.once('data', resolve));
  const { a } = await until((n) => n['a']?.state === 'up');
  assert.deepEqual(readdirSync(`/proc/${a?.pid}/fd`), ['0', '1', '2']);
});
