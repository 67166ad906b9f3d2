/** Where a repository's files are: the checks on `location` that all drivers with folders share. */
import { mkdir, readdir, stat, statfs } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import { storageErrors } from '../contracts/storage.ts';
import type { Config, Ground } from './driver.ts';
import { hasCode, isAbsent } from './durable.ts';

/** The folder that a configuration names, or the default one of this repository. */
export function placeOf(ground: Ground, sr: string, config: Config): string {
  const { location } = config;
  for (const key of Object.keys(config))
    if (key !== 'location') throw storageErrors.make('Bad_config', { key, reason: 'no such key; there is: location' });
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
    const first = await mkdir(folder, { recursive: true, mode: 0o711 });
    return first !== undefined;
  } catch (error) {
    throw storageErrors.make('Bad_config', { key: 'location', reason: `${folder}: ${(error as Error).message}` });
  }
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
    if (isAbsent(error)) return false;
    throw error;
  }
};
