/** One room of a host as a process of its own: `room.ts network|storage|xenops --data DIR --hypervisor KIND` (see separate.ts). */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../base/clock.ts';
import { randomIds } from '../base/ids.ts';
import { networkContract } from '../contracts/network.ts';
import { processesContract } from '../contracts/processes.ts';
import { storageContract } from '../contracts/storage.ts';
import { xenopsContract } from '../contracts/xenops.ts';
import { connectContract } from '../rpc/client.ts';
import { type Served, serveContract } from '../rpc/server.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import type { Hypervisor } from './ground.ts';
import { openLog } from './logging.ts';
import { places } from './places.ts';
import { openNetworkRoom, openStorageRoom, openXenopsRoom } from './rooms.ts';
import { type RoomName, roomNames, roomSocket } from './separate.ts';

const { values, positionals } = parseArgs({
  options: { data: { type: 'string' }, hypervisor: { type: 'string', default: 'auto' } },
  allowPositionals: true,
});
const name = roomNames.find((each) => each === positionals[0]) ?? refuse(`a room is one of ${roomNames.join(', ')}`);
const at = places(values.data ?? refuse('--data DIR is missing: the folder of the host'));
mkdirSync(at.run, { recursive: true, mode: 0o711 });
const log = openLog(at, `room-${name}`);
process.on('uncaughtException', (error) => {
  log.error('ends because of an error that nobody handled', { error: error.stack ?? String(error) });
  process.exit(70);
});
/** Of a room's own state; its rows tell their own formats. */
const schema = { major: 1, minor: 0 };
/** What was opened, in order. */
const closing: (() => Promise<void> | void)[] = [];
let ending = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end(signal));

const socketPath = roomSocket(at, name);
const patience = { log, connectTimeoutMs: 30_000 };
const processes = connectContract(processesContract, at.supervisorSocket, { log });
closing.push(() => processes.close());

const openers: { readonly [N in RoomName]: () => Promise<Served> } = {
  async network() {
    // What is simulated needs no bridge of this host.
    const simulated = values.hypervisor === 'simulator';
    const network = await openNetworkRoom({ ...(await parts()), processes, simulated });
    closing.push(() => network.close());
    return serveContract(networkContract, network, { socketPath, log });
  },
  async storage() {
    const storage = await openStorageRoom(await parts());
    closing.push(() => storage.close());
    return serveContract(storageContract, storage, { socketPath, log });
  },
  async xenops() {
    const base = await parts();
    const network = connectContract(networkContract, at.networkSocket, patience);
    const storage = connectContract(storageContract, at.storageSocket, patience);
    closing.push(
      () => network.close(),
      () => storage.close(),
    );
    const { openGround } = await import('./ground.ts');
    const { migrationSettings, openMigration } = await import('./migration.ts');
    const backend = await openGround(values.hypervisor as Hypervisor, { ...base, processes });
    const migration = await openMigration(migrationSettings(at.data), at.data, log);
    closing.push(() => migration.hosts.close());
    const { hosts } = migration;
    const xenops = await openXenopsRoom({ ...base, backend, storage, network, boot: bootId(), hosts });
    closing.push(() => xenops.close());
    const arrivals = await migration.serve(xenops);
    if (arrivals) closing.push(() => arrivals.close());
    return serveContract(xenopsContract, xenops, { socketPath, log });
  },
};
try {
  const served = await openers[name]();
  closing.push(() => served.close());
  log.info('the room is open', { socketPath });
} catch (error) {
  log.error('the room cannot open', { error: error instanceof Error ? error.stack : String(error) });
  refuse((error as Error).message);
}

async function parts() {
  const store = await openSqliteStore({ path: join(at.data, `${name}.db`), log, schema });
  closing.push(() => store.close());
  return { data: at.data, store, clock: systemClock, ids: randomIds, log };
}
async function end(why: string): Promise<void> {
  if (ending) return;
  ending = true;
  log.info('the room closes; guests run on', { why });
  for (const close of closing.toReversed()) {
    try {
      await close();
    } catch (error) {
      log.error('not everything was closed', { error: String(error) });
    }
  }
  process.exit(0);
}
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
function refuse(why: string): never {
  console.error(`guesthouse: ${why}`);
  process.exit(1);
}
