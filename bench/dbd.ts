/**
 * Durable writes through dbd with 16 clients on a private bus, each write answered when it is on the disk. Beside them: reads of the same
 * clients, and what the store takes alone. Wanted: at least 2,000 writes a second.
 */
import { join } from 'node:path';
import { silentLog } from '../src/base/log.ts';
import type { BusConnection } from '../src/bus/connection.ts';
import { databaseName } from '../src/dbd/service.ts';
import { openSqliteStore } from '../src/store/sqlite.ts';
import { cannotBus, privateBus } from '../tests/live/private-bus.ts';
import { printTable } from './host.ts';

const cannot = cannotBus();
if (cannot !== undefined) {
  process.stdout.write(`${cannot}\n`);
  process.exit(0);
}
const seconds = Number(process.env['SECONDS_EACH'] ?? 3);
const rounds = Number(process.env['ROUNDS'] ?? 3);
const clients = 16;

/** Calls a second, with as many clients at once. */
async function counted(call: (client: number, n: number) => Promise<unknown>): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let done = 0;
  const turn = async (_: unknown, client: number) => {
    for (let n = 0; performance.now() < end; n++) {
      await call(client, n);
      done++;
    }
  };
  await Promise.all(Array.from({ length: clients }, turn));
  return done / seconds;
}
const bus = await privateBus();
await bus.daemon('dbd', ['--data', join(bus.folder, 'data'), '--xenstore', 'none']);
const connections = await Promise.all(Array.from({ length: clients }, () => bus.connect()));
const to = { destination: databaseName, path: '/', interface: databaseName };
const ask = (from: BusConnection, member: string, ...args: string[]) =>
  from.call({ ...to, member, signature: 's'.repeat(args.length), args });
const store = await openSqliteStore({
  path: join(bus.folder, 'alone.db'),
  log: silentLog,
  schema: { major: 1, minor: 0 },
});
let revision = 0;
const kinds = {
  'the store alone, durable rows': (client: number, n: number) =>
    store.commit(++revision, [{ table: 'node', key: `/bench/${client}/${n % 500}`, value: `[${n},"value ${n}"]` }]),
  'dbd, durable writes': (client: number, n: number) =>
    ask(connections[client] as BusConnection, 'write', `/bench/${client}/${n % 500}`, `value ${n}`),
  'dbd, reads': (client: number, n: number) =>
    ask(connections[client] as BusConnection, 'read', `/bench/${client}/${n % 500}`),
} as const;
const rates: Record<string, number[]> = {};
for (let i = 0; i < rounds; i++)
  for (const [name, call] of Object.entries(kinds)) (rates[name] ??= []).push(await counted(call));
await store.close();
await bus[Symbol.asyncDispose]();
printTable([
  ['16 clients', 'per second', 'rounds', 'wanted'],
  ...Object.entries(rates).map(([name, all]) => [
    name,
    (all.toSorted((a, b) => a - b)[all.length >> 1] as number).toFixed(0),
    all.map((rate) => rate.toFixed(0)).join(' '),
    name.includes('writes') ? '≥ 2000' : '',
  ]),
]);
process.exit(0);
