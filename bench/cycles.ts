/**
 * Start + shutdown on the simulator through HTTP, queue, plan and the durable database, by 16 clients at once.
 * The peer: the same number of durable row updates in SQLite by itself, which no toolstack with a durable database can beat.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { bareVm, benchHost, printTable } from './host.ts';

const clients = 16;
const seconds = Number(process.env['SECONDS_EACH'] ?? 5);

const host = await benchHost('simulator', undefined, clients);
const vms = await Promise.all(Array.from({ length: clients }, (_, i) => bareVm(host, `bench ${i}`)));
const cycle = async (vm: string) => {
  await host.call('VM.start', vm, false, false);
  await host.call('VM.hard_shutdown', vm);
};
async function run(ms: number): Promise<number> {
  const end = performance.now() + ms;
  let count = 0;
  const started = performance.now();
  await Promise.all(
    vms.map(async (vm) => {
      while (performance.now() < end) {
        await cycle(vm);
        count++;
      }
    }),
  );
  return (count * 1000) / (performance.now() - started);
}
await run(1500);
const ours = await run(seconds * 1000);
await host.stop();

const folder = mkdtempSync(join(tmpdir(), 'gh-bench-'));
const db = new DatabaseSync(join(folder, 'bare.db'));
db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT)');
const put = db.prepare('INSERT INTO t VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v');
let commits = 0;
const end = performance.now() + 2000;
while (performance.now() < end) {
  // A new value each time: SQLite does not write what is there already.
  put.run(`k${commits % 16}`, String(commits).padEnd(4096, 'x'));
  commits++;
}
db.close();
rmSync(folder, { recursive: true });
printTable([
  ['what', 'per second'],
  [`start+shutdown cycles, ${clients} clients (wanted: 1,000)`, ours.toFixed(0)],
  ['bare SQLite: durable row updates, one at a time', (commits / 2).toFixed(0)],
  ['cycles ÷ updates', (ours / (commits / 2)).toFixed(2)],
]);
