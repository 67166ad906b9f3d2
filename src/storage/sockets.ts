/** The folder of transfers' sockets, and the disk servers that a killed predecessor may have left on them. */
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import { hasCode, isAbsent } from './durable.ts';

/** sun_path holds 107 bytes and a zero. */
const longestSocket = 107;
const longestName = 41;

/** A folder, empty, that only we may enter: below `dir` when its path is short enough, else among temporary files. */
export async function socketFolder(dir: string, log: Log): Promise<string> {
  const near = join(dir, 'transfers');
  const fits = Buffer.byteLength(near) + longestName <= longestSocket;
  const folder = fits ? near : await farFolder(dir);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  await endStrays(folder, log);
  for (const left of await readdir(folder)) await rm(join(folder, left), { force: true });
  return folder;
}
/** The same after every restart, unless somebody else has taken the name. */
async function farFolder(dir: string): Promise<string> {
  const me = process.getuid?.() ?? 0;
  const name = join(tmpdir(), `guesthouse-${me}-${createHash('sha256').update(dir).digest('hex').slice(0, 12)}`);
  try {
    const there = await lstat(name);
    return there.isDirectory() && there.uid === me ? name : await mkdtemp(`${name}-`);
  } catch (error) {
    if (isAbsent(error)) return name;
    throw error;
  }
}
/**
 * Servers die with us by a signal of the kernel; one that was started in the very moment of our end missed it. It is
 * known by its socket.
 */
async function endStrays(folder: string, log: Log): Promise<void> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await commandLine(pid);
    const ours =
      line.some((word) => word.startsWith(`--socket=${folder}/`)) && line.some((w) => /(^|\/)qemu-nbd$/.test(w));
    if (!ours) continue;
    log.warn('a disk server of a transfer was left over and is ended', { pid });
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if (!hasCode(error, 'ESRCH')) throw error;
    }
  }
}
async function commandLine(pid: string): Promise<readonly string[]> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  } catch (error) {
    // It ended meanwhile.
    if (isAbsent(error) || hasCode(error, 'ESRCH')) return [];
    throw error;
  }
}
