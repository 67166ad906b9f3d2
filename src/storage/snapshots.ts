/**
 * Snapshots and clones of disks. Those of a disk that somebody writes to take three steps, which its writer's keeper goes through:
 *
 *     open ──freeze──▶ frozen ──(the writer goes over to the new layer)──▶ frozen ──snapshot──▶ open
 *                        └──────close, freeze for another──────────────────────┘
 *
 * The disk holds everything that was written at any point of this, so that nothing has to be taken back: a snapshot that was given
 * up leaves an empty layer, which a later one, or the tidying of chains, makes use of.
 */
import type { Ids } from '../base/ids.ts';
import { type Api, isKind } from '../contracts/contract.ts';
import { type storageContract, storageErrors, type VdiInfo } from '../contracts/storage.ts';
import type { Repository } from './driver.ts';
import { type Attached, requireCapability, requireUuid } from './repositories.ts';
import type { Use, Uses } from './uses.ts';

type Verbs = Api<typeof storageContract>['vdi'];
export interface SnapshotGround {
  readonly uses: Uses;
  readonly ids: Ids;
  /** Tells watchers that a disk changed. */
  readonly changed: (sr: string, vdi: string) => void;
  /** Does its work in the turn of the repository. */
  readonly on: <T>(sr: string, work: (at: Attached) => Promise<T>) => Promise<T>;
}

export function snapshotVerbs({
  uses,
  ids,
  changed,
  on,
}: SnapshotGround): Pick<Verbs, 'snapshot' | 'clone' | 'freeze'> {
  const writerOf = (sr: string, vdi: string): Use | undefined => uses.of(sr, vdi).find((use) => use.mode === 'RW');
  const branch = (operation: 'snapshot' | 'clone') => (a: Parameters<Verbs['snapshot']>[0]) =>
    on(a.sr, async (at) => {
      requireCapability(at, operation);
      requireUuid('to', a.to);
      const { sr, vdi, to, name } = a;
      const { repository } = at;
      const done = operation === 'snapshot' ? await madeBefore(repository, vdi, to) : undefined;
      if (done) return done;
      const writer = writerOf(sr, vdi);
      if (operation === 'snapshot' && writer?.frozen?.to === to) {
        const info = await liveOf(at).snapshot(vdi, writer.frozen.base, to, name);
        await uses.reopen({ ...writer, frozen: undefined });
        changed(sr, to);
        return info;
      }
      // The file of a disk becomes a base: nobody may write to it. A snapshot lies on a base already and is not touched.
      const info = await repository.info(vdi);
      if (!info.readOnly) uses.check(sr, vdi, 'RO');
      if (info.chain) requireShort(vdi, info.chain.depth);
      const made = await repository[operation](vdi, to, name);
      for (const reader of uses.list(sr)) if (reader.vdi === vdi) await lend(repository, reader);
      changed(sr, vdi);
      changed(sr, to);
      return made;
    });
  return {
    snapshot: branch('snapshot'),
    clone: branch('clone'),
    freeze: ({ sr, vdi, user, to }) =>
      on(sr, async (at) => {
        requireCapability(at, 'snapshot');
        requireUuid('to', to);
        const use = uses.find(sr, vdi, user);
        if (use?.mode !== 'RW') throw storageErrors.make('Not_open', { vdi, user });
        const live = liveOf(at);
        const { chain } = await at.repository.info(vdi);
        if (chain && use.frozen?.to !== to) requireShort(vdi, chain.depth);
        const frozen = use.frozen?.to === to ? use.frozen : { to, base: ids.uuid() };
        // Written down first: whoever is told to repeat it finds the same base.
        if (frozen !== use.frozen) await uses.reopen({ ...use, frozen });
        await live.freeze(vdi, frozen.base);
        await lend(at.repository, use);
        changed(sr, vdi);
        return { ...(await at.repository.path(vdi)), readOnly: false };
      }),
  };
}
/** A guest's read may have to look into each of the layers. Chain_too_long. */
const mostLayers = 30;
function requireShort(vdi: string, depth: number): void {
  if (depth >= mostLayers) throw storageErrors.make('Chain_too_long', { vdi, depth, most: mostLayers });
}
/** The snapshot `to` of the disk, when it is there already. */
async function madeBefore(repository: Repository, vdi: string, to: string): Promise<VdiInfo | undefined> {
  try {
    const info = await repository.info(to);
    return info.snapshotOf === vdi ? info : undefined;
  } catch (error) {
    if (isKind(error, 'Does_not_exist')) return undefined;
    throw error;
  }
}
function liveOf({ repository, driver }: Attached): NonNullable<Repository['live']> {
  const operation = 'a snapshot of a disk that is in use';
  if (!repository.live) throw storageErrors.make('Not_supported', { operation, type: driver.type });
  return repository.live;
}
/** The disk has a new file, which its user must be able to open. */
function lend(repository: Repository, { vdi, mode, uid, gid }: Use): Promise<void> {
  return repository.grant(vdi, mode, { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) });
}
