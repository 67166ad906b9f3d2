/**
 * A guest's disk as a file for a confined reader: QEMU's storage daemon serves it, whatever its format, read-only, through FUSE, in
 * a mount namespace that nobody else sees. The daemon's end takes all of it away.
 *
 *     starting ──QMP greeting──▶ served ──dispose──▶ gone
 *        └── ended, or too late ──▶ refused (a host without FUSE: the disk is copied instead, up to a limit)
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { access, chmod, chown, constants, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { type BootRequest, bootloaderErrors } from '../contracts/bootloader.ts';
import { confined, type Place, readerEnvironment, type User } from './confine.ts';

type Disk = NonNullable<BootRequest['disk']>;
export interface ServedDisk extends AsyncDisposable {
  /** The disk's bytes, for the reader's eyes. */
  readonly path: string;
  readonly place: Place | undefined;
}
export interface ServeOptions {
  readonly disk: Disk;
  /** Bytes at its start that are left out. */
  readonly offset: number;
  /** Who is to read it; undefined: we ourselves. */
  readonly user: User | undefined;
  /** An absolute folder that may be filled; emptied again. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}
const startMs = 30_000;
const copyMs = 300_000;
/** Bytes of data that are copied where a disk cannot be served. */
const mostCopied = 4 * 2 ** 30;

export async function serveDisk(o: ServeOptions): Promise<ServedDisk> {
  await mkdir(o.folder, { recursive: true, mode: 0o711 });
  if (!o.user || (await othersMayEnter(o.folder))) return serveIn(o);
  // Behind a folder that is closed to others, such as somebody's home.
  const folder = await mkdtemp(join(tmpdir(), 'guesthouse-disk-'));
  const removed = () => rm(folder, { recursive: true, force: true });
  try {
    await chmod(folder, 0o711);
    const served = await serveIn({ ...o, folder });
    const dispose = () => served[Symbol.asyncDispose]().then(removed);
    return { ...served, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await removed();
    throw error;
  }
}
async function othersMayEnter(folder: string): Promise<boolean> {
  for (let at = folder; ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}
async function serveIn(o: ServeOptions): Promise<ServedDisk> {
  try {
    return await exportDisk(o);
  } catch (error) {
    if (o.signal?.aborted) throw bootloaderErrors.make('Cancelled');
    o.log.info('the disk cannot be served through FUSE', { disk: o.disk.path, error: String(error) });
    const direct = o.disk.format === 'raw' && o.offset === 0 && !o.user && (await readable(o.disk.path));
    if (direct) return { path: o.disk.path, place: undefined, [Symbol.asyncDispose]: async () => undefined };
    return copyDisk(o, error instanceof Error ? error.message : String(error));
  }
}

async function exportDisk(o: ServeOptions): Promise<ServedDisk> {
  const path = join(o.folder, 'disk');
  const ownUsers = process.getuid?.() !== 0;
  await writeFile(path, '', { mode: 0o600 });
  const child = start(await exportCommand(o, path, ownUsers));
  const dispose = async () => {
    await end(child);
    await rm(path, { force: true });
  };
  try {
    await greeting(child, o);
    const pid = child.pid ?? 0;
    // Seen from outside the daemon's namespace; the file is the reader's alone.
    if (o.user) await chown(`/proc/${pid}/root${path}`, o.user.uid, o.user.gid);
    return { path, place: { pid, ownUsers }, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function exportCommand({ disk, offset, user }: ServeOptions, path: string, ownUsers: boolean): Promise<string[]> {
  const device = (await stat(disk.path)).isBlockDevice();
  const nodes = [
    { driver: device ? 'host_device' : 'file', 'node-name': 'file', filename: disk.path, 'read-only': true },
    { driver: disk.format, 'node-name': 'disk', file: 'file', 'read-only': true },
    ...(offset > 0 ? [{ driver: 'raw', 'node-name': 'part', file: 'disk', offset, 'read-only': true }] : []),
  ];
  const served = {
    type: 'fuse',
    id: 'disk',
    'node-name': nodes.at(-1)?.['node-name'],
    mountpoint: path,
    writable: false,
    'allow-other': user ? 'on' : 'off',
  };
  return [
    ...['setpriv', '--no-new-privs', '--pdeathsig', 'KILL', '--'],
    ...['unshare', ...(ownUsers ? ['--user', '--map-root-user'] : [])],
    ...['--mount', '--net', '--ipc', '--propagation', 'private', '--'],
    'qemu-storage-daemon',
    ...nodes.flatMap((node) => ['--blockdev', JSON.stringify(node)]),
    ...['--export', JSON.stringify(served)],
    // The last to be set up: once it greets, the file is there.
    ...['--chardev', 'stdio,id=qmp', '--monitor', 'chardev=qmp'],
  ];
}
function start(command: readonly string[]): ChildProcess {
  const [program = '', ...args] = command;
  return spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: readerEnvironment, cwd: '/' });
}
function greeting(child: ChildProcess, o: ServeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    let words = '';
    const aborted = () => child.kill('SIGKILL');
    const cancelTimer = o.clock.after(startMs, () => {
      words = `it did not start within ${startMs / 1000} s`;
      child.kill('SIGKILL');
    });
    const over = (settle: () => void) => {
      cancelTimer();
      o.signal?.removeEventListener('abort', aborted);
      settle();
    };
    o.signal?.addEventListener('abort', aborted, { once: true });
    if (o.signal?.aborted) aborted();
    child.stdin?.on('error', () => child.kill('SIGKILL'));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-2_000);
    });
    child.stdout?.once('data', () => over(resolve));
    child.once('error', (error) => over(() => reject(error)));
    child.once('close', (code, how) => over(() => reject(new Error(words.trim() || `it ended with ${how ?? code}`))));
  });
}
function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

/** A sparse copy, for the reader. */
async function copyDisk(o: ServeOptions, because: string): Promise<ServedDisk> {
  const { disk, user } = o;
  const refuse = (reason: string) =>
    bootloaderErrors.make('Not_possible', { reason: `the disk ${disk.path} cannot be read: ${reason}` });
  const run = (args: readonly string[]) =>
    confined(['qemu-img', ...args], { output: 2 ** 50, timeoutMs: copyMs, clock: o.clock, signal: o.signal });
  const measured = await run(['measure', '--output=json', '-f', disk.format, '-O', 'qcow2', '--', disk.path]);
  if (!measured.ok) throw refuse(`${measured.words} (serving it failed first: ${because})`);
  const { required } = JSON.parse(measured.out) as { required: number };
  if (required > mostCopied)
    throw refuse(
      `this host cannot serve it (${because}), and it holds more than the ${mostCopied} bytes that are copied`,
    );
  const path = join(o.folder, 'copy');
  const source = { driver: disk.format, file: { driver: 'file', filename: disk.path }, 'read-only': true };
  const from = o.offset > 0 ? { driver: 'raw', offset: o.offset, file: source } : source;
  const dispose = () => rm(path, { force: true });
  try {
    const copied = await run(['convert', '-O', 'raw', `json:${JSON.stringify(from)}`, path]);
    if (!copied.ok) throw refuse(copied.words);
    if (user) await chown(path, user.uid, user.gid);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { path, place: undefined, [Symbol.asyncDispose]: dispose };
}
async function readable(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
