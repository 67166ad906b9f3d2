/**
 * `.guesthouse.json` in a folder of ISO files: which repository it is, and the ids and names that were given to files
 * here. A file that stands in no row has an id derived from its name, so that every host derives the same.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { storageErrors } from '../../../contracts/storage.ts';
import { hasCode, isAbsent, writeDurably } from '../../durable.ts';

export interface IsoRow {
  readonly vdi?: string;
  readonly name?: string;
  readonly description?: string;
}
export interface IsoIndex {
  readonly sr: string;
  readonly files: Readonly<Record<string, IsoRow>>;
}
export const indexName = '.guesthouse.json';
/** The namespace of ids derived from ISO file names. */
const namespace = Buffer.from('6f1d3c52b1f14d0c9a5de0c6a3a5b7d1', 'hex');

/** A UUID of version 5 for a file name. */
export function idOfFile(file: string): string {
  const hash = createHash('sha1').update(namespace).update(file, 'utf8').digest().subarray(0, 16);
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
/** The name of a file for a disk called `name`: no folders, nothing hidden, ends in `.iso`, at most 200 bytes. */
export function fileOfName(name: string, vdi: string): string {
  const plain = name
    .toWellFormed()
    .replace(/[/\u0000-\u001f\u007f]/g, '_')
    .replace(/^\.+/, '_')
    .trim();
  let stem = plain.replace(/\.iso$/i, '');
  while (Buffer.byteLength(stem) > 196) stem = [...stem].slice(0, -1).join('');
  return `${stem || vdi}.iso`;
}
/** Undefined when the folder has none. */
export async function readIndex(folder: string): Promise<IsoIndex | undefined> {
  const path = join(folder, indexName);
  try {
    const value = JSON.parse(await readFile(path, 'utf8')) as Partial<IsoIndex>;
    if (typeof value.sr === 'string' && typeof value.files === 'object') return { sr: value.sr, files: value.files };
  } catch (error) {
    if (isAbsent(error)) return undefined;
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw storageErrors.make('Bad_config', { key: 'location', reason: `${path} is damaged; remove it and try again` });
}
/** Answers false when the folder cannot be written: it is used without one. */
export async function writeIndex(folder: string, temporary: string, index: IsoIndex): Promise<boolean> {
  try {
    await writeDurably(join(folder, indexName), join(folder, temporary), JSON.stringify(index, null, 1), 0o644);
    return true;
  } catch (error) {
    if (hasCode(error, 'EACCES') || hasCode(error, 'EROFS')) return false;
    throw error;
  }
}
