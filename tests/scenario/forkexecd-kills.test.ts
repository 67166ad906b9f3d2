/**
 * kill -9 of everything that forkexecd looks after, and of itself, in random order under load. `KILLS` sets how often each daemon
 * is killed, `SEED` the order; the whole is `KILLS=100`.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { places } from '../../src/apps/places.ts';
import { systemClock } from '../../src/base/clock.ts';
import { isKind } from '../../src/contracts/contract.ts';
import { type Processes, type ProcessNode, processesContract } from '../../src/contracts/processes.ts';
import type { SwitchSession } from '../../src/contracts/switch.ts';
import { statOf } from '../../src/processes/index.ts';
import { connectContract } from '../../src/rpc/index.ts';
import { connectSwitch } from '../../src/switch/client.ts';
import { seededRandom } from '../../src/xenops/backends/simulator/faults.ts';

const kills = Number(process.env['KILLS'] ?? 5);
const root = join(import.meta.dirname, '../..');
const queue = 'work';

test(`each daemon and the supervisor killed ${kills} times`, { timeout: 60_000 + kills * 20_000 }, async (t) => {
  const at = places(mkdtempSync(join(tmpdir(), 'kills-')));
  const socket = join(at.data, 'switch.sock');
  const config = join(at.data, 'c.conf');
  writeFileSync(config, configuration(at.data, socket));
  const api = connectContract(processesContract, at.supervisorSocket, { connectTimeoutMs: 20_000 });
  let supervisor = await forkexecd(at.data, config);
  const load = new Load(socket);
  t.after(async () => {
    await load.end();
    const over = new Promise((resolve) => supervisor.once('exit', resolve));
    await api.supervisor.shutdown({ children: true });
    await over;
    api.close();
    assert.deepEqual(processesOf(at.data), [], 'nothing is left over');
    rmSync(at.data, { recursive: true });
  });
  const targets = ['switch', 'store', 'one', 'two', 'three'];
  await allUp(api, targets);
  const guest = (await api.process.stat({ id: 'guest' })).pid;
  load.begin();
  const order = shuffled([...targets, 'forkexecd'].flatMap((id) => Array<string>(kills).fill(id)));
  const waits: { readonly id: string; readonly ms: number }[] = [];
  for (const id of order) {
    const began = systemClock.now();
    if (id === 'forkexecd') supervisor = await supervisorKilled(supervisor, () => forkexecd(at.data, config), api);
    else await killed(api, id, targets);
    waits.push({ id, ms: systemClock.now() - began });
  }
  await load.end();
  assert.equal((await api.process.stat({ id: 'guest' })).pid, guest, 'the guest was not touched');
  assert.deepEqual(await load.lost(), [], 'no message is lost');
  const longest = waits.sort((a, b) => a.ms - b.ms);
  const [median, worst] = [longest[longest.length >> 1], longest.at(-1)];
  const late = longest.filter(({ ms }) => ms > 1000).length;
  t.diagnostic(
    `${order.length} kills; back after ${median?.ms} ms, at most ${worst?.ms} ms (${worst?.id}), ${late} later than a second; ${load.count} messages`,
  );
});

const configuration = (data: string, socket: string): string => `
[group daemons]
restarts = 100000 in 1 s
[child switch]
command = ${root}/bin/message-switch --path ${socket} --statedir ${data}/queues
ready = socket ${socket}
group = daemons
[child store]
command = ${root}/bin/xenstored --socket ${data}/store.sock --state ${data}/store
ready = socket ${data}/store.sock
[group pair]
strategy = rest-for-one
restarts = 100000 in 1 s
[child one]
command = /bin/sleep 100000
group = pair
[child two]
command = /bin/sleep 100000
group = pair
[child three]
command = /bin/sleep 100000
after = switch
[child guest]
command = /bin/sleep 100000
restart = temporary
`;

/** Answers when what is declared was started. */
async function forkexecd(data: string, config: string): Promise<ChildProcess> {
  const child = spawn(join(root, 'bin/forkexecd'), ['--data', data, '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return child;
}
const nodes = async (api: Processes): Promise<Readonly<Record<string, ProcessNode>>> =>
  Object.fromEntries((await api.supervisor.tree({})).map((node) => [node.id, node]));

async function allUp(api: Processes, ids: readonly string[], but?: readonly [string, number]): Promise<void> {
  for (;;) {
    const now = await nodes(api);
    if (ids.every((id) => now[id]?.state === 'up') && (!but || now[but[0]]?.pid !== but[1])) return;
    const failed = ids.find((id) => now[id]?.state === 'failed');
    assert.equal(failed, undefined, failed && now[failed]?.note);
    await systemClock.sleep(5);
  }
}
async function killed(api: Processes, id: string, ids: readonly string[]): Promise<void> {
  const { pid } = await api.process.stat({ id });
  process.kill(pid, 'SIGKILL');
  await allUp(api, ids, [id, pid]);
}
/** The children of the one that is killed run on under the next. */
async function supervisorKilled(old: ChildProcess, start: () => Promise<ChildProcess>, api: Processes) {
  const before = await nodes(api);
  const over = new Promise((resolve) => old.once('exit', resolve));
  old.kill('SIGKILL');
  await over;
  const next = await start();
  const after = await lastingly(() => nodes(api));
  for (const id of Object.keys(before))
    assert.deepEqual([id, after[id]?.pid, after[id]?.adopted], [id, before[id]?.pid, true]);
  return next;
}
/** The connection to the one that was killed may be noticed as lost only now. */
async function lastingly<T>(f: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await f();
    } catch (error) {
      if (!isKind(error, 'Connection_lost')) throw error;
    }
  }
}
/** Command lines with the data folder in them, zombies aside. */
function processesOf(data: string): string[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || statOf(Number(name))?.zombie !== false) return [];
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ');
      return line.includes(data) ? [line] : [];
    } catch {
      return [];
    }
  });
}

/** Sends numbered messages for as long as it lasts, each again until the switch has taken it. */
class Load {
  readonly #switch;
  readonly #sent: string[] = [];
  #over = false;
  #work: Promise<void> = Promise.resolve();

  constructor(socket: string) {
    this.#switch = connectSwitch(socket);
  }
  get count(): number {
    return this.#sent.length;
  }
  begin(): void {
    this.#work = this.#send();
  }
  async end(): Promise<void> {
    this.#over = true;
    await this.#work;
  }
  /** Messages that were taken and are not in the queue. */
  async lost(): Promise<string[]> {
    const session = await this.#login();
    const found = new Set<string>();
    for (let from: string | undefined; ; ) {
      const { messages, next } = await session.transfer({ queues: [queue], from, timeoutS: 0 });
      if (messages.length === 0) break;
      for (const { message } of messages) found.add(message.payload);
      from = next;
    }
    await session.close();
    return this.#sent.filter((payload) => !found.has(payload));
  }
  async #send(): Promise<void> {
    let session = await this.#login();
    for (let n = 0; !this.#over; ) {
      try {
        await session.send(queue, { payload: `message ${n}`, kind: { request: 'answers' } });
        this.#sent.push(`message ${n++}`);
        await systemClock.sleep(2);
      } catch (error) {
        if (!isKind(error, 'Switch_gone')) throw error;
        await session.close();
        session = await this.#login();
      }
    }
    await session.close();
  }
  async #login(): Promise<SwitchSession> {
    for (;;) {
      try {
        const session = await this.#switch.login('load');
        await session.create(queue, 'persistent');
        return session;
      } catch (error) {
        if (!isKind(error, 'Switch_gone')) throw error;
        await systemClock.sleep(5);
      }
    }
  }
}

/** By a seed. */
function shuffled(list: string[]): string[] {
  const random = seededRandom(Number(process.env['SEED'] ?? 1));
  return list
    .map((each) => [random(), each] as const)
    .sort(([x], [y]) => x - y)
    .map(([, each]) => each);
}
