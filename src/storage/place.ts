/** Where a repository's files are: the checks on `location` that all drivers with folders share. */
import { mkdir, readdir, stat, statfs } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { storageErrors } from '../contracts/storage.ts';
import type { Config, Ground } from './driver.ts';
import { hasCode, isAbsent } from './durable.ts';

/** The folder that a configuration names, or the default one of this repository. `others`: keys that the driver knows besides. */
export function placeOf(ground: Ground, sr: string, config: Config, others: readonly string[] = []): string {
  const { location } = config;
  const known = ['location', ...others];
  const unknown = Object.keys(config).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw storageErrors.make('Bad_config', { key: unknown, reason: `no such key; there is: ${known.join(', ')}` });
  if (location === undefined) return join(ground.dir, 'sr', sr);
  return checkedLocation(location);
}
export function checkedLocation(location: string | undefined): string {
  const bad = (reason: string) => storageErrors.make('Bad_config', { key: 'location', reason });
  if (!location) throw bad('it is missing; give the absolute path of a folder');
  if (!isAbsolute(location) || location.includes('\0')) throw bad(`${JSON.stringify(location)} is no absolute path`);
  const path = normalize(location).replace(/\/+$/, '');
  if (path === '') throw bad('/ itself cannot be a repository');
  return path;
}
/** The names in a folder; undefined when there is no such folder. */
export async function listFolder(folder: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    if (!hasCode(error, 'ENOTDIR') && !hasCode(error, 'EACCES')) throw error;
    const reason = hasCode(error, 'EACCES') ? `${folder} may not be read by this user` : `${folder} is no folder`;
    throw storageErrors.make('Bad_config', { key: 'location', reason });
  }
}
/** Makes the folder where it is missing; ours may be entered by others but not listed. Answers whether it was made. */
export async function makeFolder(folder: string): Promise<boolean> {
  try {
    return await makeWithParents(folder);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const why = noFolder[code] ?? message;
    throw storageErrors.make('Bad_config', { key: 'location', reason: `${folder}: ${why}; give another folder` });
  }
}
const noFolder: Readonly<Record<string, string>> = {
  EACCES: 'it may not be made by this user',
  EPERM: 'no folder can be made there',
  ENOENT: 'no folder can be made there',
  EROFS: 'the file system is read-only',
  EEXIST: 'it is no folder',
  ENOTDIR: 'it lies below a file',
  ENOSPC: 'the disk is full',
};
/** Node's own recursive form never ends below /proc, where a folder that exists cannot be written. */
async function makeWithParents(folder: string): Promise<boolean> {
  if (await isFolder(folder)) return false;
  if (!(await isFolder(dirname(folder)))) await makeWithParents(dirname(folder));
  await mkdir(folder, { mode: 0o711 });
  return true;
}
/** Total bytes of the medium below a folder, and how many cannot be used any more. */
export async function mediumOf(folder: string): Promise<{ total: number; used: number }> {
  const { blocks, bavail, bsize } = await statfs(folder);
  return { total: blocks * bsize, used: (blocks - bavail) * bsize };
}
/** Refuses (Sr_full) when the medium has not `needed` bytes left. */
export async function requireSpace(folder: string, sr: string, needed: number): Promise<void> {
  const { total, used } = await mediumOf(folder);
  if (total - used < needed) throw storageErrors.make('Sr_full', { sr, free: total - used, needed });
}
export const isFolder = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isAbsent(error) || hasCode(error, 'ENOTDIR')) return false;
    throw error;
  }
};
