/** Disks as the kernel's block devices: what is one already, and loop devices over files. */
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { xenopsErrors } from '../../../contracts/xenops.ts';

const run = promisify(execFile);
const losetup = '/sbin/losetup';

/** `major:minor` in hexadecimal, as blkback takes it; undefined for what is no block device. Io_error. */
export async function blockNumber(path: string): Promise<string | undefined> {
  const found = await stat(path, { bigint: true }).catch((cause: unknown) => {
    throw xenopsErrors.make('Io_error', { reason: String(cause) }, { cause });
  });
  return found.isBlockDevice() ? numberText(found.rdev) : undefined;
}
/** glibc's packing of device numbers. */
export function numberText(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  return `${major.toString(16)}:${minor.toString(16)}`;
}
/** Makes a loop device of a file; answers its path. */
export async function attachLoop(file: string, readOnly: boolean): Promise<string> {
  const how = ['--find', '--show', ...(readOnly ? ['--read-only'] : []), file];
  const { stdout } = await run(losetup, how).catch((cause: Error & { stderr?: string }) => {
    const reason = `${file} cannot become a block device: ${cause.stderr?.trim() || cause.message}`;
    throw xenopsErrors.make('Io_error', { reason }, { cause });
  });
  return stdout.trim();
}
/** Lets a loop device go, now or, when it is in use, as soon as it is not. One that is another file's now is left alone. */
export async function detachLoop(loop: string, file: string): Promise<void> {
  const { stdout } = await run(losetup, ['--noheadings', '--output', 'BACK-FILE', loop]).catch(() => ({ stdout: '' }));
  if (stdout.trim() === file) await run(losetup, ['--detach', loop]);
}
