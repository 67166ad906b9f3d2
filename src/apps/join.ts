/**
 * Joins the rooms of one host: storage, network, the domain manager on its ground, the database, the API and its doors. The
 * only file that knows them all.
 *
 *     processes ─┐
 *     network ───┼─▶ xenops ─▶ registrar, sync ─▶ database ─▶ api ─▶ http
 *     storage ───┘
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { syncCertificate } from '../api/certificate.ts';
import type { House } from '../api/context.ts';
import { startFollowing } from '../api/follow.ts';
import { startForwards } from '../api/follow-forwards.ts';
import { Registrar } from '../api/registrar.ts';
import type { Caller } from '../api/routes.ts';
import { hostFacts, seedDatabase } from '../api/seed.ts';
import { type ApiParts, type RunningApi, startApi } from '../api/server.ts';
import { type SyncParts, startSync, syncAll } from '../api/sync.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { type Ids, randomIds } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { KeyedQueue } from '../base/queue.ts';
import { Unwind } from '../base/unwind.ts';
import { openBootloader } from '../bootloader/server.ts';
import { simulatedBootloader } from '../bootloader/simulated.ts';
import type { Network } from '../contracts/network.ts';
import type { Processes } from '../contracts/processes.ts';
import type { Storage } from '../contracts/storage.ts';
import { classes } from '../datamodel/index.ts';
import type { Db } from '../db/db.ts';
import { openDb } from '../db/memory-db.ts';
import { openNetwork } from '../network/server.ts';
import type { Hosts } from '../rpc/index.ts';
import { openStorage } from '../storage/server.ts';
import { splitStore } from '../store/parts.ts';
import type { Store } from '../store/store.ts';
import { openScreenPorts, type ScreenPorts } from '../vncterm/ports.ts';
import { encodeRecordJson } from '../wire/jsonrpc.ts';
import { encodeRecordXml } from '../wire/xmlrpc.ts';
import type { Backend } from '../xenops/backend.ts';
import { folderHooks } from '../xenops/hooks.ts';
import { diskKernels } from '../xenops/kernels.ts';
import { openXenops, type XenopsServer } from '../xenops/server.ts';
import { routesOf } from './doors.ts';
import { Invitations } from './invitations.ts';
import { bridgesByName } from './xenopsd-network.ts';

export interface GuestImage {
  readonly kernel: string;
  readonly ramdisk: string;
  readonly cmdline: string;
}
export interface HouseOptions {
  /** The folder of the host's state. */
  readonly data: string;
  readonly store: Store;
  readonly backend: Backend;
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
}
export interface RunningHouse {
  readonly api: RunningApi;
  readonly db: Db;
  readonly xenops: XenopsServer;
  readonly storage: Storage;
  readonly network: Network;
  readonly screens: ScreenPorts;
  /** Calls the API as root, in this process: `call('VM.start', [ref, false, false])`. */
  root(method: string, ...params: unknown[]): Promise<unknown>;
  close(): Promise<void>;
}

/** Opens everything in order; what fails closes what was opened. Guests run on after `close`. */
export async function openHouse(o: HouseOptions): Promise<RunningHouse> {
  const { clock = systemClock, ids = randomIds, log, processes, backend } = o;
  await using unwind = new Unwind();
  const folder = (name: string) => {
    const path = join(o.data, name);
    mkdirSync(path, { recursive: true, mode: 0o711 });
    return path;
  };
  const part = await splitStore(o.store);
  const opened = <T extends { close(): Promise<void> | void }>(thing: T): T => {
    unwind.add(() => thing.close());
    return thing;
  };
  const storeOf = (name: string) => opened(part(name));
  const base = { clock, ids, log };
  const network = opened(
    o.network ??
      (await openNetwork({
        ...base,
        processes,
        dir: folder('network'),
        store: storeOf('network'),
        simulated: backend.name === 'simulator',
      })),
  );
  const storage = opened(
    o.storage ?? (await openStorage({ ...base, dir: folder('storage'), store: storeOf('storage') })),
  );
  // Simulated guests have nothing on their disks to boot.
  const bootloader = backend.name === 'simulator' ? simulatedBootloader() : await openBootloader({ clock, log });
  const mayBridge = backend.name === 'simulator' || process.getuid?.() === 0;
  const xenops = opened(
    await openXenops({
      ...base,
      backend,
      storage,
      // Other doors name bridges that no network was made for.
      network: bridgesByName(network, mayBridge ? 'bridge' : 'user'),
      store: storeOf('xenops'),
      kernels: diskKernels({ bootloader, dir: folder('boot') }),
      hooks: folderHooks('/etc/xapi.d', log),
      ...(o.boot ? { boot: o.boot } : {}),
      ...(o.hosts ? { connect: o.hosts.connect } : {}),
    }),
  );
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
  const kernelDirs = [folder('kernels'), ...templateDirs];
  const registrar = new Registrar({ db, xenops, log, kernelDirs, queue: new KeyedQueue(16) });
  const sync: SyncParts = { db, xenops, registrar, host, log, now: () => clock.now(), url: o.url, ends: new Map() };
  const unsettled = await syncAll(sync);
  unwind.add(startSync(sync));
  for (const ref of unsettled)
    await registrar
      .push(ref)
      .catch((error: unknown) => log.warn('a VM could not be registered', { vm: ref, error: String(error) }));
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
  const session = api.rootSession('house');
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
