/**
 * Uploads and downloads of whole disks through unix sockets.
 *
 *     waiting ──peer connects──▶ moving ──end of data──▶ finishing ──▶ done
 *        └──nobody for a minute, cancel──▶ cancelled ◀──cancel──┘     (failed from anywhere)
 *
 * An upload fills a hidden file that takes the disk's place when it is complete and on the medium; until then, and when it
 * fails, the disk keeps its content. What was not sent reads as zeroes.
 */
import { chmod, rmdir } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { bestEffort } from '../base/best-effort.ts';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Call } from '../contracts/contract.ts';
import { type Storage, storageErrors } from '../contracts/storage.ts';
import { requireCapability } from './disks.ts';
import type { Staged } from './driver.ts';
import { removeFile } from './durable.ts';
import { NbdError } from './nbd.ts';
import { type ServedImage, serveImage } from './nbd-server.ts';
import { exportRaw, importRaw } from './raw-stream.ts';
import type { Repositories } from './repositories.ts';
import { socketFolder } from './sockets.ts';
import type { Uses } from './uses.ts';

export interface TransferGround {
  readonly dir: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly repositories: Repositories;
  readonly uses: Uses;
  readonly changed: (sr: string, vdi: string) => void;
}
interface Transfer {
  readonly id: string;
  readonly sr: string;
  readonly vdi: string;
  readonly cancel: AbortController;
  readonly listeners: Set<(fraction: number) => void>;
  readonly outcome: Promise<{ bytes: number }>;
}
/** How long a socket waits for its peer. */
const patienceMs = 60_000;
const keptOutcomes = 64;

export async function openTransfers(ground: TransferGround) {
  const { dir, ids, repositories, uses, log } = ground;
  const sockets = await socketFolder(dir, log);
  const transfers = new Map<string, Transfer>();
  const find = (id: string) => {
    const found = transfers.get(id);
    if (!found) throw storageErrors.make('Does_not_exist', { what: 'transfer', id });
    return found;
  };
  const ended: string[] = [];
  /** Outcomes that nobody waits for are kept for a while, not for ever. */
  const forgetOldest = (id: string) => {
    const oldest = ended.push(id) > keptOutcomes ? ended.shift() : undefined;
    if (oldest !== undefined) transfers.delete(oldest);
  };
  const verbs: Storage['transfer'] = {
    async begin({ sr, vdi, direction, format, length }) {
      if (format !== 'raw')
        throw storageErrors.make('Not_supported', { operation: `${direction} as ${format}`, type: 'all' });
      const source = await repositories.serial(sr, async () => {
        const at = repositories.get(sr);
        requireCapability(at, direction);
        const { virtualSize, snapshotOf } = await at.repository.info(vdi);
        if (direction === 'import' && snapshotOf !== null) throw storageErrors.make('Vdi_read_only', { vdi });
        const release = uses.hold(sr, vdi, `an ${direction}`, direction === 'import' ? 'RW' : 'RO');
        return { at, virtualSize, release };
      });
      const id = ids.uuid();
      const socket = join(sockets, id);
      const cancel = new AbortController();
      const listeners = new Set<(fraction: number) => void>();
      try {
        const door = await listen(socket);
        const expected = Math.min(length ?? source.virtualSize, source.virtualSize);
        const onBytes = (total: number) => {
          const fraction = expected === 0 ? 1 : Math.min(1, total / expected);
          for (const listener of listeners) listener(fraction);
        };
        const job = {
          ground,
          sr,
          vdi,
          nbdSocket: `${socket}.nbd`,
          size: source.virtualSize,
          onBytes,
          signal: cancel.signal,
        };
        const outcome = run(job, direction, door, source).finally(() => removeFile(socket));
        outcome.catch((error) => log.info('a transfer ended', { transfer: id, sr, vdi, error: String(error) }));
        transfers.set(id, { id, sr, vdi, cancel, listeners, outcome });
        void Promise.allSettled([outcome]).then(() => forgetOldest(id));
      } catch (error) {
        source.release();
        throw error;
      }
      return { transfer: id, socket, length: direction === 'export' ? source.virtualSize : null };
    },
    async wait({ transfer: id }, call: Call = {}) {
      const transfer = find(id);
      const stop = () => transfer.cancel.abort();
      if (call.signal?.aborted) stop();
      call.signal?.addEventListener('abort', stop, { once: true });
      if (call.progress) transfer.listeners.add(call.progress);
      try {
        return await transfer.outcome;
      } finally {
        call.signal?.removeEventListener('abort', stop);
        transfers.delete(id);
      }
    },
    async cancel({ transfer: id }) {
      const transfer = transfers.get(id);
      if (!transfer) return;
      transfer.cancel.abort();
      await Promise.allSettled([transfer.outcome]);
      transfers.delete(id);
    },
  };
  return {
    verbs,
    /** Cancels what runs. */
    async close() {
      for (const transfer of transfers.values()) transfer.cancel.abort();
      await Promise.allSettled([...transfers.values()].map((t) => t.outcome));
      await bestEffort('the folder of sockets may be shared', log, () => rmdir(sockets));
    },
  };
}

interface Job {
  readonly ground: TransferGround;
  readonly sr: string;
  readonly vdi: string;
  readonly nbdSocket: string;
  readonly size: number;
  readonly onBytes: (total: number) => void;
  readonly signal: AbortSignal;
}

async function run(
  job: Job,
  direction: 'import' | 'export',
  door: Server,
  source: { release: () => void },
): Promise<{ bytes: number }> {
  try {
    const peer = await accept(door, job.ground.clock, job.signal);
    const stop = () => peer.destroy();
    job.signal.addEventListener('abort', stop, { once: true });
    try {
      return { bytes: await (direction === 'import' ? take(job, peer) : give(job, peer)) };
    } catch (error) {
      peer.destroy();
      throw job.signal.aborted ? storageErrors.make('Cancelled') : await translated(job, error);
    } finally {
      job.signal.removeEventListener('abort', stop);
    }
  } finally {
    door.close();
    source.release();
  }
}

async function take(job: Job, peer: Socket): Promise<number> {
  const { ground, sr, vdi, signal } = job;
  const { repositories } = ground;
  const staged = await repositories.serial(sr, () => repositories.get(sr).repository.stage({ replace: vdi }));
  try {
    const bytes = await withImage(job, { ...staged, readOnly: false }, async ({ client }) => {
      const total = await importRaw(peer, client, job.size, job.onBytes);
      await client.flush();
      return total;
    });
    await commit(job, staged);
    peer.end();
    return bytes;
  } catch (error) {
    await staged.discard();
    throw signal.aborted ? storageErrors.make('Cancelled') : error;
  }
}
async function commit({ ground, sr, vdi, signal }: Job, staged: Staged): Promise<void> {
  await ground.repositories.serial(sr, async () => {
    if (signal.aborted) throw storageErrors.make('Cancelled');
    await staged.commit();
  });
  ground.changed(sr, vdi);
}
async function give(job: Job, peer: Socket): Promise<number> {
  const { ground, sr, vdi } = job;
  const image = await ground.repositories.serial(sr, () => ground.repositories.get(sr).repository.path(vdi));
  return withImage(job, { ...image, readOnly: true }, async ({ client }) => {
    const total = await exportRaw(client, peer, job.size, job.onBytes);
    await new Promise<void>((resolve, reject) => {
      peer.once('error', reject);
      peer.end(resolve);
    });
    return total;
  });
}
/** Serves the image while `work` runs; it is closed, or killed, before this answers. */
async function withImage<T>(
  job: Job,
  image: { path: string; format: 'raw' | 'qcow2'; readOnly: boolean },
  work: (served: ServedImage) => Promise<T>,
): Promise<T> {
  const served = await serveImage(image, job.nbdSocket, job.ground.clock);
  try {
    const result = await work(served);
    await served.close();
    return result;
  } catch (error) {
    await served.kill();
    throw error;
  }
}
async function translated({ ground, sr }: Job, error: unknown): Promise<unknown> {
  if (!(error instanceof NbdError) || error.errno !== 28) return error;
  const { total, used } = await ground.repositories.get(sr).repository.stat();
  return storageErrors.make('Sr_full', { sr, free: total - used, needed: 'more' }, { cause: error });
}

async function listen(path: string): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, resolve);
  });
  await chmod(path, 0o600);
  return server;
}
/** The first peer; the door is closed behind it. */
function accept(door: Server, clock: Clock, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      forget();
      reject(storageErrors.make('Cancelled'));
    };
    const forget = clock.after(patienceMs, stop);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    door.once('connection', (socket) => {
      forget();
      signal.removeEventListener('abort', stop);
      door.close();
      // A broken connection surfaces where the socket is read or written.
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}
