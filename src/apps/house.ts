/**
 * The house: the one process that joins all rooms of a host. Started by the supervisor (see `up.ts` for the hand-over).
 *
 *     serve contract `house` ─▶ ground ─▶ join rooms ─▶ autostart ─▶ (demo guest READY) ─▶ ready ─▶ TERM: leave guests running
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { filePassword } from '../api/password.ts';
import { bestEffort } from '../base/best-effort.ts';
import { systemClock } from '../base/clock.ts';
import { randomIds } from '../base/ids.ts';
import { type HouseInfo, type HouseReady, houseContract, houseErrors } from '../contracts/house.ts';
import { processesContract } from '../contracts/processes.ts';
import { xenopsContract } from '../contracts/xenops.ts';
import { schemaVersion } from '../datamodel/index.ts';
import { connectContract } from '../rpc/client.ts';
import { type Served, serveContract } from '../rpc/server.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { bootDemo, findDemo } from './demo.ts';
import { type Hypervisor, openGround } from './ground.ts';
import { type GuestImage, openHouse, type RunningHouse } from './join.ts';
import { openLog } from './logging.ts';
import { migrateOver, migrationSettings, openMigration } from './migration.ts';
import { places } from './places.ts';
import { checkSeparate, type SeparateRooms, separateRooms } from './separate.ts';
import { houseId } from './toolstack.ts';
import { root, version } from './version.ts';
import { openXenopsdDoor } from './xenopsd-door.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    listen: { type: 'string', default: '127.0.0.1:8080' },
    'listen-tls': { type: 'string', default: 'none' },
    hypervisor: { type: 'string', default: 'auto' },
    store: { type: 'string', default: 'sqlite' },
    demo: { type: 'boolean', default: false },
    separate: { type: 'boolean', default: false },
  },
});
if (!values.data) refuse('--data DIR is missing: the folder of the host');
const at = places(values.data);
mkdirSync(at.run, { recursive: true, mode: 0o711 });
const log = openLog(at, 'house');
const startedAt = Math.floor(Date.now() / 1000);

const processes = connectContract(processesContract, at.supervisorSocket, { log });
let readyNow: HouseReady | null = null;
let house: RunningHouse | undefined;
let closeXenopsd: (() => Promise<void>) | undefined;
let doors: Served | undefined;
let closeHosts: (() => Promise<void>) | undefined;
let rooms: SeparateRooms | undefined;
let stopping = false;
const listeners = new Set<(event: { event: 'progress'; text: string }) => void>();
const say = (text: string) => {
  log.info(text);
  for (const listener of listeners) listener({ event: 'progress', text });
};
const started = Promise.withResolvers<HouseReady>();
started.promise.catch(() => undefined);

const runningGuests = (): number => {
  if (!house) return 0;
  return [...house.db.rows('VM')].filter(([, vm]) => !vm.is_control_domain && vm.domid > 0).length;
};
const served = await serveContract(
  houseContract,
  {
    house: {
      info: async (): Promise<HouseInfo> => ({
        pid: process.pid,
        version,
        startedAt,
        ready: readyNow,
        running: runningGuests(),
      }),
      ready: () => started.promise,
      async shutdownGuests({ timeoutS }) {
        const stopped = runningGuests();
        if (house) await takeDown(house, timeoutS);
        return { stopped };
      },
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  },
  { socketPath: at.houseSocket, log },
);

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));
process.on('SIGHUP', () => undefined);
process.on('uncaughtException', (error) => {
  log.error('ends because of an error that nobody handled', { error: error.stack ?? String(error) });
  process.exit(70);
});

try {
  house = await open();
  await autostart(house);
  const demo = values.demo ? await demoGuest(house) : null;
  readyNow = await describe(house, demo);
  started.resolve(readyNow);
  // Should this process be killed, its successor does not wait longer and longer.
  void bestEffort('the pause before a restart of the house', log, () => processes.process.ready({ id: houseId }));
  say(`ready ${readyNow.url}`);
} catch (error) {
  if (!stopping) await giveUp(error);
}

async function open(): Promise<RunningHouse> {
  if (values.store !== 'sqlite')
    throw new Error(`--store ${values.store}: this version keeps its state in SQLite only; use --store sqlite`);
  checkSeparate(at, values.separate);
  const store = await openSqliteStore({ path: join(at.data, 'state.db'), log, schema: schemaVersion });
  const { hypervisor } = values;
  if (values.separate) rooms = await separateRooms({ at, processes, hypervisor, log });
  const parts = { processes, data: at.data, clock: systemClock, ids: randomIds, log };
  const ground = rooms ? { rooms } : { backend: await openGround(hypervisor as Hypervisor, parts) };
  const account = filePassword(at.passwordHash);
  await takePassword(account);
  const tls = values['listen-tls'] === 'none' ? undefined : address('--listen-tls', values['listen-tls']);
  const tcp = address('--listen', values.listen);
  const settings = migrationSettings(at.data);
  const migration = await openMigration(settings, at.data, log);
  say(`opening the host in ${at.data}${ground.backend ? ` on ${ground.backend.name}` : ', each daemon by itself'}`);
  const opened = await openHouse({
    data: at.data,
    store,
    ...ground,
    processes,
    log,
    version,
    listen: { tcp, ...(tls ? { tls } : {}), socketPath: at.xapiSocket },
    authenticate: account.authenticate,
    async changePassword(password) {
      await account.change(password);
      await rm(at.password, { force: true });
    },
    url: tls ? `https://${hostname()}:${tls.port}` : `http://${tcp.host}:${tcp.port}`,
    address: tcp.host,
    guest: guestImage(),
    boot: bootId(),
    hosts: migration.hosts,
    silenceMs: settings.silenceS * 1000,
  });
  const { xenops } = opened;
  // A domain manager that is a process of its own serves itself, and takes guests of other hosts.
  if (!rooms) doors = await serveContract(xenopsContract, xenops, { socketPath: at.xenopsSocket, log });
  const arrivals = rooms ? undefined : await migration.serve(xenops);
  closeHosts = async () => {
    await arrivals?.close();
    await migration.hosts.close();
  };
  closeXenopsd = await openXenopsdDoor({
    migrate: migrateOver(xenops, migration.hosts),
    ...{ xenops: opened.xenops, screens: opened.screens, clock: systemClock, ids: randomIds, log, version },
    socketPath: at.xenopsdSocket,
    shutdown: () => void stop('xenopsd was asked to end'),
  });
  return opened;
}

/** VMs with `other_config:auto_poweron` start with the host: once per boot, not with every start of the toolstack. */
async function autostart(opened: RunningHouse): Promise<void> {
  const file = join(at.data, 'boot-id');
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (before === bootId()) return;
  writeFileSync(file, bootId());
  opened.xenops.host
    .startAll({})
    .catch((error: unknown) =>
      log.error('not every VM that starts with the host was started', { error: String(error) }),
    );
}

/** Booted by the first house of an `up`; one that is started again leaves the guest as the user left it. */
async function demoGuest(opened: RunningHouse): Promise<HouseReady['demo']> {
  if (existsSync(at.demoMark)) return findDemo(opened);
  const demo = await bootDemo(opened, log, say);
  writeFileSync(at.demoMark, '');
  return demo;
}

async function describe(opened: RunningHouse, demo: HouseReady['demo']): Promise<HouseReady> {
  const { tcp, tls } = opened.api.listening;
  const { backend, accelerator } = await opened.xenops.host.stat({});
  return {
    url: `http://${tcp?.host}:${tcp?.port}`,
    tlsUrl: tls ? `https://${tls.host}:${tls.port}` : null,
    hypervisor: backend,
    accelerator,
    demo,
  };
}

/** Guests first, then what was made for them on the host's network. */
async function takeDown(opened: RunningHouse, timeoutS: number): Promise<void> {
  await opened.xenops.host.shutdownAll({ timeoutS });
  for (const { bridge } of await opened.network.network.list({})) {
    await opened.network.network
      .remove({ bridge })
      .catch((error: unknown) => log.warn('a network was not taken down', { bridge, error: String(error) }));
  }
}

async function stop(why: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  log.info('the house ends; guests run on', { why });
  try {
    await doors?.close();
    await closeXenopsd?.();
    await closeHosts?.();
    await house?.close();
    rooms?.close();
    await rooms?.end();
  } catch (error) {
    log.error('not everything was closed', { error: String(error) });
  }
  await served.close();
  process.exit(0);
}

async function giveUp(error: unknown): Promise<never> {
  const reason = error instanceof Error ? error.message : String(error);
  log.error('the house cannot start', { error: error instanceof Error ? error.stack : reason, told: true });
  started.reject(houseErrors.make('Not_ready', { reason }));
  await house?.close().catch((e: unknown) => log.error('not everything was closed', { error: String(e) }));
  // Whoever waits is told before the socket goes away.
  await new Promise((resolve) => setTimeout(resolve, 200));
  return refuse(reason);
}

/** Takes over a password that `guesthouse up` has left, and makes it root's. */
async function takePassword(account: ReturnType<typeof filePassword>): Promise<void> {
  const firstLine = async (file: string) => (await readFile(file, 'utf8')).split('\n')[0]?.trim() ?? '';
  if (existsSync(at.passwordNew)) {
    await account.change(await firstLine(at.passwordNew));
    await rename(at.passwordNew, at.password);
  } else if (!(await account.isSet()) && existsSync(at.password)) {
    await account.change(await firstLine(at.password));
  }
}

/** What `scripts/setup` built. */
function guestImage(): GuestImage | undefined {
  const folder = process.env['GUESTHOUSE_GUEST'] ?? join(root, 'build', 'guest');
  const manifest = join(folder, 'manifest.json');
  if (!existsSync(manifest)) return undefined;
  const { kernel, ramdisk, cmdline } = JSON.parse(readFileSync(manifest, 'utf8')) as GuestImage;
  return { kernel: join(folder, kernel), ramdisk: join(folder, ramdisk), cmdline };
}

function bootId(): string {
  const file = '/proc/sys/kernel/random/boot_id';
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
}

function address(flag: string, text: string): { host: string; port: number } {
  const at = text.lastIndexOf(':');
  const port = Number(text.slice(at + 1));
  if (at < 1 || !Number.isInteger(port) || port < 0 || port > 65535)
    refuse(`${flag} ${text}: it is HOST:PORT, such as 127.0.0.1:8080`);
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port };
}

function refuse(why: string): never {
  console.error(`guesthouse: ${why}`);
  process.exit(1);
}
