/** Who may open a disk's files. Only root can give files away; other users' guests run as themselves. */
import { chmod, chown, lstat, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { storageErrors } from '../contracts/storage.ts';
import type { Owner } from './driver.ts';

const isRoot = (): boolean => process.getuid?.() === 0;

/** Sets owner, group and mode of a file where they differ. */
export async function own(path: string, uid: number, gid: number, mode: number): Promise<void> {
  const now = await lstat(path);
  if (isRoot() && (now.uid !== uid || now.gid !== gid)) await chown(path, uid, gid);
  if ((now.mode & 0o7777) !== mode) await chmod(path, mode);
}
/** Ours alone again. */
export const reclaim = (path: string, mode: number): Promise<void> =>
  own(path, process.getuid?.() ?? 0, process.getgid?.() ?? 0, mode);

/** A top for its writer, or for readers of the group. */
export function lend(path: string, mode: 'RO' | 'RW', owner: Owner): Promise<void> {
  const me = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const gid = owner.gid ?? me.gid;
  if (mode === 'RW') return own(path, owner.uid ?? me.uid, gid, 0o600);
  return own(path, me.uid, gid, 0o640);
}

/** Refuses (Bad_config) when a folder on the way would keep the owner out. */
export async function checkReach(folder: string, owner: Owner): Promise<void> {
  if (!isRoot() || owner.uid === undefined || owner.uid === 0) return;
  for (let at = folder; ; at = dirname(at)) {
    const { uid, gid, mode } = await stat(at);
    const bit = uid === owner.uid ? 0o100 : gid === owner.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) {
      const reason = `the user ${owner.uid} of the guest may not enter ${at}: chmod o+x it, or choose another place`;
      throw storageErrors.make('Bad_config', { key: 'location', reason });
    }
    if (at === '/') return;
  }
}
