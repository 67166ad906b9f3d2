/** A domain manager that stands alone: its rooms, opened on one folder, without the API and its database. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { randomIds } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { Unwind } from '../base/unwind.ts';
import { openBootloader } from '../bootloader/server.ts';
import { simulatedBootloader } from '../bootloader/simulated.ts';
import type { Xenops } from '../contracts/xenops.ts';
import type { Migrate } from '../doors/xenopsd/parts.ts';
import { openNetwork } from '../network/server.ts';
import { createSupervisor } from '../processes/index.ts';
import { openStorage } from '../storage/server.ts';
import { openMemoryStore } from '../store/memory.ts';
import { splitStore } from '../store/parts.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { openScreenPorts, type ScreenPorts } from '../vncterm/ports.ts';
import { folderHooks } from '../xenops/hooks.ts';
import { diskKernels } from '../xenops/kernels.ts';
import { openXenops } from '../xenops/server.ts';
import { type Hypervisor, openGround } from './ground.ts';
import { type MigrationOptions, migrateOver, openMigration } from './migration.ts';
import { bridgesByName } from './xenopsd-network.ts';

export interface CoreOptions {
  /** The folder of its state. */
  readonly data: string;
  readonly hypervisor: Hypervisor;
  /** False: what was added is forgotten when it ends. */
  readonly persist: boolean;
  readonly workers: number;
  readonly log: Log;
  readonly version: string;
  /** Absent: guests move within this host only. */
  readonly migration?: MigrationOptions;
}
export interface RunningCore {
  readonly xenops: Xenops;
  readonly screens: ScreenPorts;
  readonly migrate: Migrate;
  /** Where guests of other hosts arrive. */
  readonly reachedAt?: string | undefined;
  readonly ground: string;
  /** Guests run on, as children of nobody, and are found again. */
  close(): Promise<void>;
}
const noMigration: MigrationOptions = { listen: '', trust: '', plain: false, silenceS: 30 };
const schema = { major: 1, minor: 0 };

export async function openCore(o: CoreOptions): Promise<RunningCore> {
  const { data, log } = o;
  const folder = (name: string) => {
    const path = join(data, name);
    mkdirSync(path, { recursive: true, mode: 0o711 });
    return path;
  };
  await using unwind = new Unwind();
  const opened = <T extends { close(): Promise<void> | void }>(thing: T): T => {
    unwind.add(() => thing.close());
    return thing;
  };
  folder('run');
  const base = { clock: systemClock, ids: randomIds, log };
  const processes = createSupervisor({
    folder: folder('processes'),
    version: o.version,
    log,
    onShutdown: () => undefined,
  });
  unwind.add(() => processes.leave());
  const whole = o.persist ? await openSqliteStore({ path: join(data, 'state.db'), log, schema }) : openMemoryStore();
  const part = await splitStore(whole);
  const storeOf = (name: string) => opened(part(name));
  const backend = await openGround(o.hypervisor, { ...base, processes, data });
  const simulated = backend.name === 'simulator';
  const networkGround = { ...base, processes, dir: folder('network'), store: storeOf('network'), simulated };
  const network = opened(await openNetwork(networkGround));
  const storage = opened(await openStorage({ ...base, dir: folder('storage'), store: storeOf('storage') }));
  const migration = await openMigration(o.migration ?? noMigration, data, log);
  opened(migration.hosts);
  const mayBridge = simulated || process.getuid?.() === 0;
  const xenops = opened(
    await openXenops({
      ...base,
      backend,
      storage,
      network: bridgesByName(network, mayBridge ? 'bridge' : 'user'),
      store: storeOf('xenops'),
      workers: o.workers,
      connect: (url) => migration.hosts.connect(url),
      hooks: folderHooks('/etc/xapi.d', log),
      kernels: diskKernels({
        bootloader: simulated ? simulatedBootloader() : await openBootloader({ clock: systemClock, log }),
        dir: folder('boot'),
      }),
    }),
  );
  const screens = opened(await openScreenPorts({ ...base, xenops }));
  const arrivals = await migration.serve(xenops);
  if (arrivals) opened(arrivals);
  const owned = unwind.move();
  const migrate = migrateOver(xenops, migration.hosts);
  return { xenops, screens, migrate, reachedAt: arrivals?.url, ground: backend.name, close: () => owned.run() };
}
