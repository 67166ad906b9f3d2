/**
 * Persistent round trips through the message switch with 16 callers: a request into a persistent queue, its answer into the
 * caller's queue, both acknowledged. NATS JetStream does the same beside it where `nats-server` is installed. Wanted: at least
 * 1,500 a second.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/base/clock.ts';
import { silentLog } from '../src/base/log.ts';
import type { Switch } from '../src/contracts/switch.ts';
import { connectSwitch } from '../src/switch/client.ts';
import { SwitchCaller, SwitchServer } from '../src/switch/peer.ts';
import { printTable } from './host.ts';

const seconds = Number(process.env['SECONDS_EACH'] ?? 3);
const rounds = Number(process.env['ROUNDS'] ?? 3);
const clients = 16;
const folder = mkdtempSync(join(tmpdir(), 'gh-bench-switch-'));
const path = join(folder, 'sock');
const root = join(import.meta.dirname, '..');

const daemon = spawn(
  process.execPath,
  [join(root, 'src/apps/message-switch.ts'), '--path', path, '--statedir', folder],
  {
    stdio: 'ignore',
  },
);
while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 10));

async function roundTrips(s: Switch, queue: string): Promise<number> {
  const parts = { switch: s, clock: systemClock, log: silentLog };
  const server = new SwitchServer({ ...parts, token: `server-${queue}` }, queue, async (text) => text);
  const callers = Array.from(
    { length: clients },
    (_, i) => new SwitchCaller({ ...parts, token: `caller-${queue}-${i}` }),
  );
  const payload = JSON.stringify({ method: 'VM.stat', params: ['debug', 'a'.repeat(36)], id: 1 });
  await Promise.all(callers.map((c) => c.call(queue, payload, 60)));
  const end = performance.now() + seconds * 1000;
  let done = 0;
  await Promise.all(
    callers.map(async (caller) => {
      while (performance.now() < end) {
        await caller.call(queue, payload, 60);
        done++;
      }
    }),
  );
  await Promise.all([...callers, server].map((peer) => peer.close()));
  return done / seconds;
}
const ours: number[] = [];
for (let i = 0; i < rounds; i++) ours.push(await roundTrips(connectSwitch(path), `bench.${i}`));
daemon.kill();
rmSync(folder, { recursive: true, force: true });
const best = ours.sort((a, b) => a - b)[ours.length >> 1] ?? 0;
printTable([
  ['persistent round trips, 16 callers', 'per second', 'wanted'],
  ['message-switch', best.toFixed(0), '≥ 1500'],
]);
process.exit(0);
