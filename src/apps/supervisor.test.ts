import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Processes, processesContract } from '../contracts/processes.ts';
import { connectContract } from '../rpc/index.ts';
import { places } from './places.ts';

function bench(t: TestContext) {
  const at = places(mkdtempSync(join(tmpdir(), 'supervisor-')));
  let current: ChildProcess | undefined;
  let onLost: () => void = () => undefined;
  const api = connectContract(processesContract, at.supervisorSocket, {
    connectTimeoutMs: 20_000,
    onLost: () => onLost(),
  });
  t.after(async () => {
    const ended = new Promise((resolve) => current!.once('exit', resolve));
    await api.supervisor.shutdown({ children: true }).finally(() => api.close());
    await ended;
    rmSync(at.data, { recursive: true });
  });
  const start = () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'supervisor.ts'), '--data', at.data], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return child;
  };
  return {
    at,
    api,
    up: () => {
      current = start();
      return current;
    },
    second: start,
    /** Its exit code, when it is gone and the connection knows. */
    end: async (signal: NodeJS.Signals) => {
      const lost = new Promise<void>((resolve) => {
        onLost = resolve;
      });
      const code = new Promise<number | null>((resolve) => current!.once('exit', resolve));
      current!.kill(signal);
      await lost;
      return code;
    },
  };
}
const sleeper = (at: { output(name: string): string }, id: string) => ({
  id,
  command: ['/bin/sleep', '1000'],
  log: at.output('sleep'),
});
function exit(api: Processes, id: string) {
  return new Promise<void>((resolve) => {
    const stop = api.watch((e) => {
      if (e.event !== 'exited' || e.process.id !== id) return;
      stop();
      resolve();
    });
  });
}

test('killed and started again, it adopts its children; nobody lost one', async (t) => {
  const { at, api, up, end } = bench(t);
  up();
  const children = await Promise.all([1, 2, 3].map((n) => api.process.start(sleeper(at, `s${n}`))));
  await end('SIGKILL');
  up();
  const found = await api.process.list({});
  assert.deepEqual(
    found.map((p) => [p.id, p.pid, p.startTime, p.running, p.adopted]).sort(),
    children.map((p) => [p.id, p.pid, p.startTime, true, true]),
  );
  const exited = exit(api, 's1');
  await api.supervisor.info({});
  process.kill(children[0]!.pid, 'SIGKILL');
  await exited;
  assert.equal((await api.process.stat({ id: 's1' })).exitCode, null);
});

test('TERM ends it and leaves the children; its command line names the data folder', async (t) => {
  const { at, api, up, end } = bench(t);
  const supervisor = up();
  const child = await api.process.start(sleeper(at, 'a'));
  assert.match(readFileSync(`/proc/${supervisor.pid}/cmdline`, 'utf8'), new RegExp(`--data\0${at.data}`));
  assert.equal(await end('SIGTERM'), 0);
  up();
  assert.equal((await api.process.stat({ id: 'a' })).pid, child.pid);
});

test('a second one for the same folder is refused', async (t) => {
  const { api, up, second, at } = bench(t);
  up();
  await api.supervisor.info({});
  const other = second();
  let text = '';
  other.stderr?.on('data', (d: Buffer) => {
    text += d.toString();
  });
  const code = await new Promise((resolve) => other.once('close', resolve));
  assert.equal(code, 1);
  assert.match(text, new RegExp(`another supervisor looks after ${at.data} already`));
});
