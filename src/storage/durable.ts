/** Files that are whole or absent after a crash. */
import { open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
/** Replaces the text of `path`, through `temporary` in the same folder. */
export async function writeDurably(path: string, temporary: string, text: string, mode = 0o600): Promise<void> {
  const handle = await open(temporary, 'w', mode);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncPath(dirname(path));
}
/** Whether the error says that the file or folder is not there. */
export const isAbsent = (error: unknown): boolean => hasCode(error, 'ENOENT');
export const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && (error as NodeJS.ErrnoException).code === code;
/** Removes a file; answers whether it was there. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
