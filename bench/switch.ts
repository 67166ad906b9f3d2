/**
 * Persistent round trips through the message switch with 16 callers: a request into a persistent queue, its answer into the
 * caller's queue, both acknowledged. NATS JetStream does the same beside it, round by round, where `nats-server` is installed:
 * behind our contract, and by its own client in the way of its own manual (work queues, acknowledged by the consumer). Wanted:
 * at least 1,500 a second.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AckPolicy, type JsMsg, jetstream, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { systemClock } from '../src/base/clock.ts';
import { silentLog } from '../src/base/log.ts';
import type { Switch } from '../src/contracts/switch.ts';
import { switchAt } from '../src/switch/at.ts';
import { SwitchCaller, SwitchServer } from '../src/switch/peer.ts';
import { cannotNats, natsServer } from '../tests/live/nats-server.ts';
import { printTable } from './host.ts';

const seconds = Number(process.env['SECONDS_EACH'] ?? 3);
const rounds = Number(process.env['ROUNDS'] ?? 3);
const clients = 16;
const folder = mkdtempSync(join(tmpdir(), 'gh-bench-switch-'));
const path = join(folder, 'sock');
const root = join(import.meta.dirname, '..');
const parts = { clock: systemClock, log: silentLog };
const payload = JSON.stringify({ method: 'VM.stat', params: ['debug', 'a'.repeat(36)], id: 1 });

const daemon = spawn(
  process.execPath,
  [join(root, 'src/apps/message-switch.ts'), '--path', path, '--statedir', folder],
  { stdio: 'ignore' },
);
while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 10));
const cannot = cannotNats();
const nats = cannot === undefined ? await natsServer(folder) : undefined;

/** Calls a second, `call(i)` being one of caller `i`. */
async function counted(call: (caller: number) => Promise<unknown>): Promise<number> {
  const each = Array.from({ length: clients }, (_, i) => i);
  await Promise.all(each.map(call));
  const end = performance.now() + seconds * 1000;
  let done = 0;
  await Promise.all(
    each.map(async (i) => {
      while (performance.now() < end) {
        await call(i);
        done++;
      }
    }),
  );
  return done / seconds;
}
async function byContract(s: Switch, queue: string): Promise<number> {
  const server = new SwitchServer({ ...parts, switch: s, token: `server-${queue}` }, queue, async (text) => text);
  const callers = Array.from(
    { length: clients },
    (_, i) => new SwitchCaller({ ...parts, switch: s, token: `caller-${queue}-${i}` }),
  );
  const rate = await counted(async (i) => callers[i]?.call(queue, payload, 60));
  await Promise.all([...callers, server].map((peer) => peer.close()));
  return rate;
}
/** JetStream as its own manual has it. */
async function byItself(host: string, queue: string): Promise<number> {
  const open: NatsConnection[] = [];
  const client = async () => {
    const connection = await connect({ servers: host });
    open.push(connection);
    return { js: jetstream(connection), jsm: await jetstreamManager(connection) };
  };
  const follow = async (subject: string, storage: StorageType, arrived: (m: JsMsg) => void) => {
    const { js, jsm } = await client();
    const [stream, name] = [subject.replaceAll('.', '-'), 'reader'];
    await jsm.streams.add({ name: stream, subjects: [subject], storage, retention: RetentionPolicy.Workqueue });
    await jsm.consumers.add(stream, { durable_name: name, ack_policy: AckPolicy.Explicit });
    await (await js.consumers.get(stream, name)).consume({ callback: arrived });
    return js;
  };
  const working = new Set<Promise<void>>();
  const server = await follow(`${queue}.requests`, StorageType.File, (m) => {
    const to = m.headers?.get('answer-to') ?? '';
    const answered = server.publish(to, m.string()).then(() => m.ack());
    working.add(answered);
    void answered.finally(() => working.delete(answered));
  });
  const { headers } = await import('@nats-io/transport-node');
  const callers = await Promise.all(
    Array.from({ length: clients }, async (_, i) => {
      const told: (() => void)[] = [];
      const js = await follow(`${queue}.answers.${i}`, StorageType.Memory, (m) => {
        m.ack();
        told.shift()?.();
      });
      const to = headers();
      to.set('answer-to', `${queue}.answers.${i}`);
      return async () => {
        const answered = new Promise<void>((resolve) => told.push(resolve));
        await js.publish(`${queue}.requests`, payload, { headers: to });
        await answered;
      };
    }),
  );
  const rate = await counted(async (i) => callers[i]?.());
  await Promise.all(working);
  await Promise.all(open.map((connection) => connection.close()));
  return rate;
}

const kinds: readonly { name: string; rates: number[]; run: (queue: string) => Promise<number> }[] = [
  { name: 'message-switch', rates: [], run: (queue) => byContract(switchAt(path, parts), queue) },
  ...(nats
    ? [
        {
          name: 'NATS JetStream behind our contract',
          rates: [],
          run: (queue: string) => byContract(switchAt(`nats://${nats.host}`, parts), queue),
        },
        { name: 'NATS JetStream by itself', rates: [], run: (queue: string) => byItself(nats.host, queue) },
      ]
    : []),
];
for (let i = 0; i < rounds; i++) for (const kind of kinds) kind.rates.push(await kind.run(`bench.${i}`));
daemon.kill();
await nats?.kill();
rmSync(folder, { recursive: true, force: true });
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
printTable([
  ['persistent round trips, 16 callers', 'per second', 'rounds', 'wanted'],
  ...kinds.map(({ name, rates }, i) => [
    name,
    median(rates).toFixed(0),
    rates.map((rate) => rate.toFixed(0)).join(' '),
    i === 0 ? '≥ 1500' : '',
  ]),
]);
if (cannot !== undefined) process.stdout.write(`without NATS: ${cannot}\n`);
process.exit(0);
