/** The verbs on disks. */

import { dirname } from 'node:path';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Api, Call } from '../contracts/contract.ts';
import { type storageContract, storageErrors, type VdiInfo } from '../contracts/storage.ts';
import type { Capability } from './driver.ts';
import type { Merges } from './merges.ts';
import { requireSpace } from './place.ts';
import { convertImage, measureImage } from './qemu-img.ts';
import { type Attached, type Repositories, requireCapability, requireUuid } from './repositories.ts';
import { snapshotVerbs } from './snapshots.ts';
import type { Use, Uses } from './uses.ts';

export interface DiskGround {
  readonly repositories: Repositories;
  readonly uses: Uses;
  readonly ids: Ids;
  readonly merges: Merges;
  /** Tells watchers that a disk changed. */
  readonly changed: (sr: string, vdi: string) => void;
  readonly log: Log;
  /** Aborted when storage closes: long work ends. */
  readonly closing: AbortSignal;
  /** Long work that runs: awaited by `close`. */
  readonly running: Set<Promise<unknown>>;
}
/** What qcow2 with its usual clusters and ext4 can hold without surprises. */
const largest = 2 ** 46;

/** Rounded up to whole units; Bad_size when it is nothing or too much. */
export function diskSize(size: number, unit: number): number {
  const bad = (reason: string) => storageErrors.make('Bad_size', { size, reason });
  if (!Number.isSafeInteger(size) || size <= 0) throw bad('it must be a whole number of bytes above 0');
  if (size > largest) throw bad(`at most ${largest} bytes`);
  return Math.ceil(size / unit) * unit;
}

type Verbs = Api<typeof storageContract>['vdi'];
/** The verbs that layers are not made one beside. */
export function diskVerbs(ground: DiskGround): Verbs {
  const { merges } = ground;
  const verbs = verbsOf(ground);
  const aside =
    <A extends { readonly sr: string; readonly vdi: string }, T>(verb: (a: A, call?: Call) => Promise<T>) =>
    (a: A, call?: Call) =>
      merges.aside(a.sr, a.vdi, () => verb(a, call));
  const { destroy, resize, snapshot, freeze, clone, copy, open } = verbs;
  return {
    ...verbs,
    ...{ destroy: aside(destroy), resize: aside(resize), snapshot: aside(snapshot), freeze: aside(freeze) },
    ...{ clone: aside(clone), copy: aside(copy), open: aside(open) },
  };
}
function verbsOf(ground: DiskGround): Verbs {
  const { repositories, uses, changed, ids } = ground;
  const on = <T>(sr: string, operation: Capability | null, work: (at: Attached) => Promise<T>): Promise<T> =>
    repositories.serial(sr, async () => {
      const at = repositories.get(sr);
      if (operation) requireCapability(at, operation);
      return work(at);
    });
  return {
    create: (a) =>
      on(a.sr, 'create', async ({ repository, driver }) => {
        requireUuid('vdi', a.vdi);
        const { vdi, name, description = '', format } = a;
        const virtualSize = diskSize(a.virtualSize, driver.sizeUnit);
        const info = await repository.create({ vdi, name, description, virtualSize, ...(format ? { format } : {}) });
        changed(a.sr, vdi);
        return info;
      }),
    destroy: (a) =>
      on(a.sr, 'destroy', async ({ repository }) => {
        requireUuid('vdi', a.vdi);
        uses.check(a.sr, a.vdi, 'RW');
        await repository.remove(a.vdi);
        changed(a.sr, a.vdi);
        await ground.merges.tidy(a.sr);
      }),
    stat: (a) => on(a.sr, null, ({ repository }) => repository.info(a.vdi)),
    resize: (a) =>
      on(a.sr, 'resize', async ({ repository, driver }) => {
        const size = diskSize(a.virtualSize, driver.sizeUnit);
        const now = await repository.info(a.vdi);
        if (now.readOnly) throw storageErrors.make('Vdi_read_only', { vdi: a.vdi });
        const reason = `it is smaller than the present ${now.virtualSize}; disks only grow`;
        if (size < now.virtualSize) throw storageErrors.make('Bad_size', { size: a.virtualSize, reason });
        uses.check(a.sr, a.vdi, 'RW');
        if (size === now.virtualSize) return now;
        const info = await repository.resize(a.vdi, size);
        changed(a.sr, a.vdi);
        return info;
      }),
    ...snapshotVerbs({ uses, ids, changed, on: (sr, work) => on(sr, null, work) }),
    copy: (a, call) => {
      const work = copy(ground, a, call);
      ground.running.add(work);
      return work.finally(() => ground.running.delete(work));
    },
    rename: (a) =>
      on(a.sr, 'rename', async ({ repository }) => {
        await repository.rename(a.vdi, a.name, a.description);
        changed(a.sr, a.vdi);
      }),
    open: (a) =>
      on(a.sr, null, async (at) => {
        const info = await at.repository.info(a.vdi);
        if (info.readOnly && a.mode === 'RW') throw storageErrors.make('Vdi_read_only', { vdi: a.vdi });
        await open(uses, at, a);
        const readOnly = a.mode === 'RO';
        return { ...(await at.repository.path(a.vdi)), readOnly };
      }),
    close: (a) =>
      repositories.serial(a.sr, async () => {
        if (!uses.find(a.sr, a.vdi, a.user)) return;
        const others = uses.of(a.sr, a.vdi).filter((use) => use.user !== a.user);
        if (others.length === 0 && !a.elsewhere) await repositories.find(a.sr)?.repository.revoke(a.vdi);
        await uses.close(a.sr, a.vdi, a.user);
      }),
    users: async () => uses.list().map(({ sr, vdi, user, mode }) => ({ sr, vdi, user, mode })),
  };
}

/** Writes down that the disk is open, then lends the files: killed between them, a later `close` sets all right. */
async function open(uses: Uses, { repository }: Attached, a: Use): Promise<void> {
  const { sr, vdi, user, mode } = a;
  const owner = { ...(a.uid === undefined ? {} : { uid: a.uid }), ...(a.gid === undefined ? {} : { gid: a.gid }) };
  const mine = uses.find(sr, vdi, user);
  if (mine && mine.mode !== mode) throw storageErrors.make('Vdi_in_use', { vdi, user });
  const use = { sr, vdi, user, mode, ...owner };
  if (!mine) await uses.open(use);
  else if (mine.uid !== a.uid || mine.gid !== a.gid) await uses.reopen({ ...use, frozen: mine.frozen });
  try {
    await repository.grant(vdi, mode, owner);
  } catch (error) {
    if (!mine) await uses.close(sr, vdi, user);
    throw error;
  }
}

/** The long part runs outside the repositories' queues: the source is held for reading, the target is a hidden file. */
async function copy(
  { repositories, uses, changed, closing }: DiskGround,
  a: { sr: string; vdi: string; toSr: string; to: string; name?: string },
  call: Call = {},
): Promise<VdiInfo> {
  requireUuid('to', a.to);
  const from = await repositories.serial(a.sr, async () => {
    const at = repositories.get(a.sr);
    requireCapability(at, 'copy');
    const info = await at.repository.info(a.vdi);
    const image = await at.repository.path(a.vdi);
    return { info, image, release: uses.hold(a.sr, a.vdi, `the copy ${a.to}`, 'RO') };
  });
  const releases = [from.release];
  try {
    releases.push(uses.hold(a.toSr, a.to, `the copy of ${a.vdi}`, 'RW'));
    const { name, description, virtualSize } = from.info;
    const staged = await repositories.serial(a.toSr, async () => {
      const at = repositories.get(a.toSr);
      requireCapability(at, 'create');
      const size = diskSize(virtualSize, at.driver.sizeUnit);
      return at.repository.stage({ create: { vdi: a.to, name: a.name ?? name, description, virtualSize: size } });
    });
    try {
      const needed = await measureImage(from.image.path, from.image.format, staged.format);
      await requireSpace(dirname(staged.path), a.toSr, needed);
      const signal = call.signal ? AbortSignal.any([call.signal, closing]) : closing;
      await convertImage(from.image, staged, { ...call, signal });
      const info = await repositories.serial(a.toSr, () => staged.commit());
      changed(a.toSr, a.to);
      return info;
    } catch (error) {
      await staged.discard();
      throw error;
    }
  } finally {
    for (const release of releases) release();
  }
}
