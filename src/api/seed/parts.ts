import type { Clock } from '../../base/clock.ts';
import type { Ids } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import type { Network } from '../../contracts/network.ts';
import type { Storage } from '../../contracts/storage.ts';
import type { Xenops } from '../../contracts/xenops.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import type { Db } from '../../db/db.ts';
import type { HostFacts } from './facts.ts';

/** The kernel and ramdisk of the "Tiny Linux" template. */
export interface TinyLinux {
  /** Absolute paths. */
  readonly kernel: string;
  readonly ramdisk: string;
  readonly cmdline: string;
}
export interface SeedParts {
  readonly db: Db;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly storage: Storage;
  readonly network: Network;
  readonly xenops: Xenops;
  /** The folder of the installation's state. */
  readonly dataDir: string;
  /** Of this product. */
  readonly version: string;
  readonly facts: HostFacts;
  /** By which clients reach this host. */
  readonly address: string;
  /** Absent: no "Tiny Linux" template is made (an existing one stays). */
  readonly tinyLinux?: TinyLinux;
}
/** The rows that everything else hangs on. */
export interface Seeded {
  readonly host: Ref<'host'>;
  readonly pool: Ref<'pool'>;
  /** Folders that kernels of the templates are in. */
  readonly kernelDirs: readonly string[];
}
export interface Home extends SeedParts {
  readonly host: Ref<'host'>;
  readonly pool: Ref<'pool'>;
}

/** `pool.other_config` names here what a fresh host was given, so that what users delete stays deleted. */
const seededKey = 'guesthouse-seeded';

/** Runs `make` unless it has succeeded in an earlier start. */
export async function once(home: Home, name: string, make: () => Promise<void> | void): Promise<void> {
  const { db, pool } = home;
  const done = () => (db.get('pool', pool).other_config[seededKey] ?? '').split(' ').filter((s) => s !== '');
  if (done().includes(name)) return;
  await make();
  const other_config = { ...db.get('pool', pool).other_config, [seededKey]: [...done(), name].join(' ') };
  db.set('pool', pool, { other_config });
  await db.durable();
}
