/** The unprivileged users that guests run as, and what they can reach. */
import { chown, mkdir, realpath, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '../../../base/log.ts';
import type { Owner } from './folder.ts';

/** The guest with domid D runs as the user `baseUid + D`. */
export interface RunAs {
  readonly baseUid: number;
  readonly gid: number;
}
/** Ids that no distribution gives to people, services or containers (above systemd's, below 2³¹). */
const unused: RunAs = { baseUid: 1_900_000_000, gid: 1_900_000_000 };

/** Read and search bits that `owner` has on a file or folder, by its mode alone. */
function may(owner: Owner, found: { mode: number; uid: number; gid: number }, bit: 4 | 1): boolean {
  if (found.uid === owner.uid) return (found.mode & (bit << 6)) !== 0;
  if (found.gid === owner.gid) return (found.mode & (bit << 3)) !== 0;
  return (found.mode & bit) !== 0;
}
/** The first folder on the way to `path` that the user cannot enter. */
async function closedTo(owner: Owner, path: string): Promise<string | undefined> {
  const way: string[] = [];
  for (let at = dirname(path); ; at = dirname(at)) {
    way.unshift(at);
    if (at === dirname(at)) break;
  }
  for (const folder of way) if (!may(owner, await stat(folder), 1)) return folder;
  return undefined;
}
/** Whether the user can open a file for reading. */
export async function canRead(owner: Owner, path: string): Promise<boolean> {
  const real = await realpath(path);
  return may(owner, await stat(real), 4) && (await closedTo(owner, real)) === undefined;
}

/**
 * Who guests run as: the one place that decides it. `wish` null: as ourselves. Undefined: as root, users of their own, so that
 * none can touch another's files; without root, or in a container that maps too few ids, as ourselves, the latter with a warning.
 * A given one is taken. Throws when a folder on the way to `dir` keeps those users out (it never falls back to root for that),
 * and when a given one is not possible.
 */
export async function decideUser(wish: RunAs | null | undefined, dir: string, log: Log): Promise<RunAs | undefined> {
  if (wish === null || process.getuid?.() !== 0) {
    if (wish) throw new Error(`guests cannot run as other users (${wish.baseUid} and up): this needs root`);
    return undefined;
  }
  const user = wish ?? unused;
  const obstacle = await whyNot(user, dir);
  if (obstacle !== undefined) {
    if (wish) throw new Error(obstacle);
    log.warn('guests run as root, without a user of their own', { because: obstacle });
    return undefined;
  }
  const closed = await closedTo({ uid: user.baseUid, gid: user.gid }, join(await realpath(dir), 'x'));
  if (closed === undefined) return user;
  throw new Error(
    `the folder ${closed} is closed to other users, and guests run as users of their own: choose another --data, or allow passing through with chmod o+x ${closed}`,
  );
}
/** Whether files can be given to those users: a container may not map their ids. */
async function whyNot({ baseUid, gid }: RunAs, dir: string): Promise<string | undefined> {
  const trial = join(dir, 'user-trial');
  try {
    await mkdir(trial, { recursive: true });
    await chown(trial, baseUid, gid);
    return undefined;
  } catch (error) {
    return `files cannot be given to the user ${baseUid}: ${String(error)}`;
  } finally {
    await rm(trial, { recursive: true, force: true });
  }
}
