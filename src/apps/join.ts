/**
 * Joins the rooms of one host: storage, network, the domain manager on its ground, the database, the API and its doors. The
 * only file that knows them all.
 *
 *     processes ─┐
 *     network ───┼─▶ xenops ─▶ registrar, sync ─▶ database ─▶ api ─▶ http
 *     storage ───┘
 */
import { syncCertificate } from '../api/certificate.ts';
import { startCoalescing } from '../api/coalesce.ts';
import type { House } from '../api/context.ts';
import { startFollowing } from '../api/follow.ts';
import { startForwards } from '../api/follow-forwards.ts';
import { Registrar } from '../api/registrar.ts';
import type { Caller } from '../api/routes.ts';
import { startSchedules } from '../api/schedules.ts';
import { hostFacts, seedDatabase } from '../api/seed.ts';
import { type ApiParts, type RunningApi, startApi } from '../api/server.ts';
import { type SyncParts, startSync, syncAll } from '../api/sync.ts';
import { bestEffort } from '../base/best-effort.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { type Ids, randomIds } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { KeyedQueue } from '../base/queue.ts';
import { Unwind } from '../base/unwind.ts';
import type { Network } from '../contracts/network.ts';
import type { Processes } from '../contracts/processes.ts';
import type { Storage } from '../contracts/storage.ts';
import type { Xenops } from '../contracts/xenops.ts';
import { classes } from '../datamodel/index.ts';
import type { Db } from '../db/db.ts';
import { openDb } from '../db/memory-db.ts';
import type { Hosts } from '../rpc/index.ts';
import { splitStore } from '../store/parts.ts';
import type { Store } from '../store/store.ts';
import { openScreenPorts, type ScreenPorts } from '../vncterm/ports.ts';
import { encodeRecordJson } from '../wire/jsonrpc.ts';
import { encodeRecordXml } from '../wire/xmlrpc.ts';
import type { Backend } from '../xenops/backend.ts';
import { routesOf } from './doors.ts';
import { Invitations } from './invitations.ts';
import { openNetworkRoom, openStorageRoom, openXenopsRoom, type RoomParts, roomFolder } from './rooms.ts';
import { streamsOf } from './streams.ts';

export interface GuestImage {
  readonly kernel: string;
  readonly ramdisk: string;
  readonly cmdline: string;
}
export interface HouseOptions {
  /** The folder of the host's state. */
  readonly data: string;
  readonly store: Store;
  /** Not needed where the rooms are processes of their own. */
  readonly backend?: Backend;
  readonly processes: Processes;
  readonly log: Log;
  readonly version: string;
  readonly listen: ApiParts['listen'];
  readonly authenticate: ApiParts['authenticate'];
  readonly changePassword: ApiParts['changePassword'];
  /** `https://address` that this host listens on: console locations start with it, unless the host's record says otherwise. */
  readonly url: string;
  /** By which clients reach this host: `host.address`. */
  readonly address: string;
  /** The kernel and ramdisk of "Tiny Linux"; without it that template is not made. */
  readonly guest?: GuestImage | undefined;
  readonly clock?: Clock;
  readonly ids?: Ids;
  /** Names the host's present boot. */
  readonly boot?: string;
  readonly loginDelayMs?: number;
  /** Other hosts' domain managers; absent: guests move within this host only. */
  readonly hosts?: Pick<Hosts, 'connect'>;
  /** How long another host may say nothing while a guest moves; 30 s. */
  readonly silenceMs?: number;
  /** Stand-ins for tests. */
  readonly storage?: Storage & { close(): Promise<void> };
  readonly network?: Network & { close(): Promise<void> };
  /** Rooms that are processes of their own; without them they are opened here. */
  readonly rooms?: Rooms & {
    /** Calls `f` whenever events of the domain manager were missed. */
    readonly onMissed: (f: () => void) => void;
  };
}
export interface Rooms {
  readonly network: Network;
  readonly storage: Storage;
  readonly xenops: Xenops;
}
export interface RunningHouse {
  readonly api: RunningApi;
  readonly db: Db;
  readonly xenops: Xenops;
  readonly storage: Storage;
  readonly network: Network;
  readonly screens: ScreenPorts;
  /** Calls the API as root, in this process: `call('VM.start', [ref, false, false])`. */
  root(method: string, ...params: unknown[]): Promise<unknown>;
  close(): Promise<void>;
}

async function openRooms(
  o: HouseOptions,
  room: (name: string) => RoomParts,
  opened: <T extends { close(): Promise<void> }>(thing: T) => T,
): Promise<Rooms> {
  const { backend, processes, boot, hosts } = o;
  if (!backend) throw new Error('a house without rooms of their own needs a ground');
  const simulated = backend.name === 'simulator';
  const network = opened(o.network ?? (await openNetworkRoom({ ...room('network'), processes, simulated })));
  const storage = opened(o.storage ?? (await openStorageRoom(room('storage'))));
  const xenops = opened(await openXenopsRoom({ ...room('xenops'), backend, storage, network, boot, hosts }));
  return { network, storage, xenops };
}

/** Opens everything in order; what fails closes what was opened. Guests run on after `close`. */
export async function openHouse(o: HouseOptions): Promise<RunningHouse> {
  const { clock = systemClock, ids = randomIds, log } = o;
  await using unwind = new Unwind();
  const part = await splitStore(o.store);
  const opened = <T extends { close(): Promise<void> | void }>(thing: T): T => {
    unwind.add(() => thing.close());
    return thing;
  };
  const storeOf = (name: string) => opened(part(name));
  const base = { clock, ids, log };
  const room = (name: string) => ({ ...base, data: o.data, store: storeOf(name) });
  const { network, storage, xenops } = o.rooms ?? (await openRooms(o, room, opened));
  const screens = opened(await openScreenPorts({ ...base, xenops }));
  const encode = { xml: encodeRecordXml, json: encodeRecordJson };
  const db = opened(await openDb({ ...base, store: storeOf('xenapi'), classes, encode }));
  const {
    host,
    pool,
    kernelDirs: templateDirs,
  } = await seedDatabase({
    ...base,
    db,
    storage,
    network,
    xenops,
    dataDir: o.data,
    version: o.version,
    facts: await hostFacts(),
    address: o.address,
    ...(o.guest ? { tinyLinux: o.guest } : {}),
  });
  const kernelDirs = [roomFolder(o.data, 'kernels'), ...templateDirs];
  const registrar = new Registrar({ db, xenops, log, kernelDirs, queue: new KeyedQueue(16) });
  const sync: SyncParts = { db, xenops, registrar, host, log, now: () => clock.now(), url: o.url, ends: new Map() };
  const push = async (unsettled: Awaited<ReturnType<typeof syncAll>>) => {
    for (const ref of unsettled)
      await registrar
        .push(ref)
        .catch((error: unknown) => log.warn('a VM could not be registered', { vm: ref, error: String(error) }));
  };
  // Of another process events could pass in between.
  if (o.rooms) unwind.add(startSync(sync));
  const unsettled = await syncAll(sync);
  if (!o.rooms) unwind.add(startSync(sync));
  await push(unsettled);
  o.rooms?.onMissed(() => void bestEffort('what comes next tells of it', log, async () => push(await syncAll(sync))));
  unwind.add(registrar.start());
  unwind.add(await startForwards({ db, network, log }));
  unwind.add(startFollowing({ db, xenops, storage, host, clock, log }));
  const invitations = new Invitations({ clock, ids, dataDir: o.data, silenceMs: o.silenceMs });
  const house: House = {
    ...base,
    invite: (address) => invitations.invite(api.listening, address),
    db,
    xenops,
    storage,
    network,
    connect: streamsOf(storage),
    registrar,
    kernelDirs,
    host,
    pool,
    dataDir: o.data,
    version: o.version,
    url: o.url,
  };
  const api: RunningApi = opened(
    await startApi({
      house,
      authenticate: o.authenticate,
      changePassword: o.changePassword,
      listen: o.listen,
      routes: [
        invitations.route(house),
        ...routesOf(house, {
          call: (caller, method, params) => api.call(caller, method, params),
          rootSession: (origin) => api.rootSession(origin),
        }),
      ],
      ...(o.loginDelayMs === undefined ? {} : { loginDelayMs: o.loginDelayMs }),
    }),
  );
  await syncCertificate({ db, host, dataDir: o.data });
  unwind.add(startCoalescing({ db, xenops, storage, tasks: api.services.tasks, clock, log }));
  const session = api.rootSession('house');
  const take = (schedule: string) => api.call(here, 'VMSS.snapshot_now', [session, schedule]);
  unwind.add(startSchedules({ db, clock, log, take }));
  const owned = unwind.move();
  return {
    api,
    db,
    xenops,
    storage,
    network,
    screens,
    root: (method, ...params) => api.call(here, method, [session, ...params]),
    close: () => owned.run(),
  };
}

const here: Caller = {
  local: true,
  address: 'local',
  userAgent: 'guesthouse',
  gone: () => new AbortController().signal,
};
