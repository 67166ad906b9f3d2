/** The storage daemon: the contract over repositories, their disks and transfers. */
import { mkdir } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { bestEffort } from '../base/best-effort.ts';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { type Storage, storageErrors } from '../contracts/storage.ts';
import type { Store } from '../store/store.ts';
import { Changes } from './changes.ts';
import { discVerbs } from './discs.ts';
import { diskVerbs } from './disks.ts';
import { drivers } from './drivers/index.ts';
import { Merges } from './merges.ts';
import { Repositories } from './repositories.ts';
import { openTransfers } from './transfers.ts';
import { Rows, Uses } from './uses.ts';

type StorageEvent = Parameters<Parameters<Storage['watch']>[0]>[0];

export interface StorageGround {
  /** Folder (absolute) of default repositories and sockets; made when missing, mode 0711 so that guests' users can pass. */
  readonly dir: string;
  /** Written by nobody else: its revisions are counted here. */
  readonly store: Store;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
}

export interface RunningStorage extends Storage {
  /** Connects to a transfer's socket from within this process, without its cost; undefined when nobody waits there. */
  connect(path: string): Duplex | undefined;
  close(): Promise<void>;
}

/** Opens storage: attaches what was attached, repairs what a crash left, knows who has disks open. */
export async function openStorage(ground: StorageGround): Promise<RunningStorage> {
  const { dir, store, ids, log } = ground;
  await mkdir(dir, { recursive: true, mode: 0o711 });
  const rows = await Rows.open(store);
  const uses = new Uses(rows);
  await uses.load();
  const repositories = new Repositories(drivers, { dir, ids, log }, rows);
  await repositories.restore();
  await lendAgain(repositories, uses, log);
  const listeners = new Set<(event: StorageEvent) => void>();
  const tell = (event: StorageEvent) => {
    for (const listener of listeners) listener(event);
  };
  const changed = (sr: string, vdi: string) => tell({ event: 'vdi', sr, vdi });
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();
  const transfers = await openTransfers({ ...ground, repositories, uses, changed });
  const merges = new Merges({ repositories, uses, changed, log, closing: closing.signal });
  const changes = new Changes({ ...ground, repositories, uses });
  const { begin, serve } = transfers.verbs;
  return {
    sr: repositoryVerbs({ repositories, uses, merges, running }, tell),
    vdi: diskVerbs({ repositories, uses, ids, merges, changed, log, closing: closing.signal, running }),
    changes: {
      between: (a) => merges.aside(a.sr, a.to, async () => ({ bitmap: await changes.between(a) })),
      note: (a) => merges.aside(a.sr, a.to, () => changes.note(a)),
      forget: (a) => changes.forget(a.vdi),
    },
    disc: discVerbs(dir),
    transfer: {
      ...transfers.verbs,
      begin: (a, call) => merges.aside(a.sr, a.vdi, () => begin(a, call)),
      serve: (a, call) => merges.aside(a.sr, a.vdi, () => serve(a, call)),
    },
    connect: transfers.connect,
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      closing.abort();
      await Promise.allSettled(running);
      await transfers.close();
      listeners.clear();
    },
  };
}

/** A crash may have come between writing down that a disk is open and lending its files. */
async function lendAgain(repositories: Repositories, uses: Uses, log: Log): Promise<void> {
  for (const { sr, vdi, mode, uid, gid } of uses.list()) {
    const owner = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
    const why = `the disk ${vdi} stays as it is until it is closed`;
    await bestEffort(why, log, () => repositories.find(sr)?.repository.grant(vdi, mode, owner));
  }
}

interface RepositoryGround {
  readonly repositories: Repositories;
  readonly uses: Uses;
  readonly merges: Merges;
  /** Long work that runs: awaited by `close`. */
  readonly running: Set<Promise<unknown>>;
}
function repositoryVerbs(ground: RepositoryGround, tell: (event: StorageEvent) => void): Storage['sr'] {
  const { repositories, uses, merges, running } = ground;
  const inTurn = <A extends { sr: string }, T>(work: (a: A) => Promise<T>) => {
    return (a: A) => repositories.serial(a.sr, () => work(a));
  };
  const alone = <T>(work: (a: { sr: string }) => Promise<T>) => {
    const verb = inTurn(work);
    return (a: { sr: string }) => merges.aside(a.sr, null, () => verb(a));
  };
  const requireIdle = (sr: string) => {
    const users = uses.usersOf(sr);
    if (users.length > 0) throw storageErrors.make('Sr_in_use', { sr, users: users.join(', ') });
  };
  return {
    types: async () =>
      Object.values(drivers).map(({ type, label, description, config, capabilities, formats }) => {
        return { type, label, description, config, capabilities, formats };
      }),
    create: inTurn(async ({ sr, type, config }) => {
      await repositories.create(sr, type, config);
      tell({ event: 'sr', sr });
    }),
    attach: inTurn(async ({ sr, type, config }) => {
      await repositories.attach(sr, type, config);
      tell({ event: 'sr', sr });
    }),
    detach: alone(async ({ sr }) => {
      requireIdle(sr);
      await repositories.detach(sr);
      tell({ event: 'sr', sr });
    }),
    destroy: alone(async ({ sr }) => {
      const { repository } = repositories.get(sr);
      requireIdle(sr);
      const { length } = await repository.scan();
      if (length > 0) throw storageErrors.make('Sr_not_empty', { sr, count: length });
      await repository.destroy();
      await repositories.detach(sr);
      tell({ event: 'sr', sr });
    }),
    probe: async ({ type, config }) => repositories.driver(type).probe({ ...repositories.ground }, config),
    stat: inTurn(async ({ sr }) => {
      const { driver, repository } = repositories.get(sr);
      return { sr, type: driver.type, ...(await repository.stat()) };
    }),
    coalesce: ({ sr }, call) => {
      repositories.get(sr);
      const work = merges.run(sr, call);
      running.add(work);
      return work.finally(() => running.delete(work));
    },
    scan: inTurn(({ sr }) => repositories.get(sr).repository.scan()),
  };
}
