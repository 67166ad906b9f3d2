/**
 * Read-only volumes of a few files, made for one guest from what its description says: `discs/<user>/<digest>.iso`. They can be
 * made again at any time, so nothing of them is written down. The digest keeps guests, which share a group, from guessing names.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Api } from '../contracts/contract.ts';
import { type storageContract, storageErrors } from '../contracts/storage.ts';
import { FormatError } from '../wire/format-error.ts';
import { iso9660 } from '../wire/iso9660.ts';
import { isAbsent } from './durable.ts';
import { lend } from './ownership.ts';

/** Bytes of all files of a volume. */
const largest = 16 << 20;
const userPattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

export function discVerbs(dir: string): Api<typeof storageContract>['disc'] {
  const root = join(dir, 'discs');
  const folderOf = (user: string) => {
    if (!userPattern.test(user)) throw storageErrors.make('Bad_data', { reason: `"${user}" is no name of a user` });
    return join(root, user);
  };
  return {
    async open({ user, label, files, ...owner }) {
      const folder = folderOf(user);
      const image = imageOf(label, files);
      const path = join(folder, `${createHash('sha256').update(image).digest('hex')}.iso`);
      await mkdir(folder, { recursive: true, mode: 0o711 });
      const size = await stat(path).then(
        (found) => found.size,
        () => undefined,
      );
      if (size !== image.length) {
        await writeFile(`${path}.next`, image, { mode: 0o600 });
        await rename(`${path}.next`, path);
      }
      await lend(path, 'RO', owner);
      return { path, format: 'raw', readOnly: true };
    },
    close: async ({ user }) => rm(folderOf(user), { recursive: true, force: true }),
    async users() {
      return readdir(root).catch((error: unknown) => {
        if (isAbsent(error)) return [];
        throw error;
      });
    },
  };
}

function imageOf(label: string, files: Readonly<Record<string, string>>): Buffer {
  const contents = Object.entries(files).map(([name, text]) => [name, Buffer.from(text)] as const);
  const bytes = contents.reduce((sum, [, data]) => sum + data.length, 0);
  if (bytes > largest)
    throw storageErrors.make('Bad_data', { reason: `the files have ${bytes} bytes, at most ${largest} fit` });
  try {
    return iso9660(label, Object.fromEntries(contents));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw storageErrors.make('Bad_data', { reason: error.message }, { cause: error });
  }
}
