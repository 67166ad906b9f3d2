/**
 * Uploads and downloads of whole disks through unix sockets.
 *
 *     waiting ──peer connects──▶ moving ──end of data──▶ finishing ──▶ done
 *        └──nobody for a minute, cancel──▶ cancelled ◀──cancel──┘     (failed from anywhere)
 *                                              └──with `keep`──▶ kept for an hour ──import with that offset──▶ moving
 *
 * An upload fills a hidden file that takes the disk's place when it is complete and on the medium; until then, and when it
 * fails, the disk keeps its content. What was not sent reads as zeroes.
 */
import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { bestEffort } from '../base/best-effort.ts';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Call } from '../contracts/contract.ts';
import { type Storage, storageErrors } from '../contracts/storage.ts';
import { type Door, Doors } from './doors.ts';
import { removeFile } from './durable.ts';
import { formats } from './formats/index.ts';
import { Kept } from './kept.ts';
import { serveOne } from './nbd-server.ts';
import { type Repositories, requireCapability } from './repositories.ts';
import { socketFolder } from './sockets.ts';
import { prepareGive } from './transfer-give.ts';
import { take } from './transfer-take.ts';
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
type Begin = Parameters<Storage['transfer']['begin']>[0];
/** One transfer, as those see it who move its bytes. */
export interface Job extends Omit<Begin, 'direction'> {
  readonly ground: TransferGround;
  readonly id: string;
  /** Path of its socket; names that begin so are its own. */
  readonly socket: string;
  /** Bytes of the disk. */
  readonly size: number;
  readonly kept: Kept;
  /** Whether what was written is to be kept when it ends early. */
  keep: boolean;
  readonly onBytes: (total: number) => void;
  readonly signal: AbortSignal;
}
interface Transfer {
  readonly job: Job;
  readonly cancel: AbortController;
  readonly listeners: Set<(fraction: number) => void>;
  readonly outcome: Promise<{ bytes: number }>;
}
const keptOutcomes = 64;

export async function openTransfers(ground: TransferGround) {
  const { dir, log } = ground;
  const sockets = await socketFolder(dir, log);
  const kept = new Kept(ground.clock);
  const doors = new Doors(ground.clock);
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
    async begin(args) {
      const cancel = new AbortController();
      const listeners = new Set<(fraction: number) => void>();
      const { job, length, outcome } = await begin(ground, { args, sockets, doors, kept, cancel, listeners });
      const { id, sr, vdi } = job;
      outcome.catch((error) => log.info('a transfer ended', { transfer: id, sr, vdi, error: String(error) }));
      transfers.set(id, { job, cancel, listeners, outcome });
      void Promise.allSettled([outcome]).then(() => forgetOldest(id));
      return { transfer: id, socket: job.socket, length };
    },
    async serve({ sr, vdi }) {
      const cancel = new AbortController();
      const { job, outcome } = await serve(ground, { sr, vdi, sockets, kept, cancel });
      outcome.catch((error) =>
        log.info('a disk is served no longer', { transfer: job.id, sr, vdi, error: String(error) }),
      );
      transfers.set(job.id, { job, cancel, listeners: new Set(), outcome });
      void Promise.allSettled([outcome]).then(() => forgetOldest(job.id));
      return { transfer: job.id, socket: job.socket };
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
    async cancel({ transfer: id, keep = false }) {
      const transfer = transfers.get(id);
      if (!transfer) return { kept: 0 };
      transfer.job.keep = keep;
      transfer.cancel.abort();
      await Promise.allSettled([transfer.outcome]);
      transfers.delete(id);
      return { kept: kept.bytes(transfer.job) };
    },
  };
  return {
    verbs,
    /** Comes in at a transfer's socket from within this process. */
    connect: (path: string) => doors.connect(path),
    /** Cancels what runs. */
    async close() {
      for (const transfer of transfers.values()) transfer.cancel.abort();
      await Promise.allSettled([...transfers.values()].map((t) => t.outcome));
      await kept.close();
      await bestEffort('the folder of sockets may be shared', log, () => rmdir(sockets));
    },
  };
}

interface Beginning {
  readonly args: Begin;
  readonly sockets: string;
  readonly doors: Doors;
  readonly kept: Kept;
  readonly cancel: AbortController;
  readonly listeners: ReadonlySet<(fraction: number) => void>;
}
/** Takes hold of the disk, opens the socket, and lets the rest run. */
async function begin(ground: TransferGround, { args, sockets, doors, kept, cancel, listeners }: Beginning) {
  const { repositories, uses, ids } = ground;
  const { sr, vdi, direction, base } = args;
  requirePossible(args);
  const { virtualSize, releases } = await repositories.serial(sr, async () => {
    const at = repositories.get(sr);
    requireCapability(at, direction);
    const info = await at.repository.info(vdi);
    if (direction === 'import' && info.snapshotOf !== null) throw storageErrors.make('Vdi_read_only', { vdi });
    if (base !== undefined) await at.repository.info(base);
    const taken = [uses.hold(sr, vdi, `an ${direction}`, direction === 'import' ? 'RW' : 'RO')];
    if (base !== undefined && base !== vdi) taken.push(uses.hold(sr, base, `an export of ${vdi}`, 'RO'));
    return { virtualSize: info.virtualSize, releases: taken };
  });
  const release = () => {
    for (const each of releases) each();
  };
  try {
    const id = ids.uuid();
    const socket = join(sockets, id);
    let expected = args.length ?? virtualSize;
    const onBytes = (total: number) => {
      const fraction = expected === 0 ? 1 : Math.min(1, total / expected);
      for (const listener of listeners) listener(fraction);
    };
    const { direction: _, ...asked } = args;
    const job: Job = {
      ground,
      ...asked,
      id,
      socket,
      size: virtualSize,
      kept,
      keep: false,
      onBytes,
      signal: cancel.signal,
    };
    const give = direction === 'export' ? await prepareGive(job) : undefined;
    if (give?.length) expected = give.length - (args.offset ?? 0);
    const door = await doors.open(socket);
    const move = give ? give.move : (peer: Duplex) => take(job, peer);
    const outcome = run(job, door, move)
      .finally(() => give?.drop())
      .finally(release)
      .finally(() => removeFile(socket));
    return { job, length: give?.length ?? null, outcome };
  } catch (error) {
    release();
    throw error;
  }
}
/** QEMU's own server for one client; it ends with that one, or when it is cancelled. */
async function serve(
  ground: TransferGround,
  a: Pick<Beginning, 'sockets' | 'kept' | 'cancel'> & { sr: string; vdi: string },
) {
  const { repositories, uses, clock } = ground;
  const { sr, vdi, sockets, kept, cancel } = a;
  const { image, size, release } = await repositories.serial(sr, async () => {
    const at = repositories.get(sr);
    requireCapability(at, 'export');
    const { virtualSize } = await at.repository.info(vdi);
    const path = await at.repository.path(vdi);
    return { image: path, size: virtualSize, release: uses.hold(sr, vdi, 'an NBD client', 'RO') };
  });
  try {
    const id = ground.ids.uuid();
    const socket = join(sockets, id);
    const served = await serveOne({ ...image, readOnly: true }, socket, clock);
    const stop = () => void served.kill();
    cancel.signal.addEventListener('abort', stop, { once: true });
    const outcome = served.end.finally(release).then(() => ({ bytes: 0 }));
    const job: Job = {
      ground,
      sr,
      vdi,
      format: 'raw',
      id,
      socket,
      size,
      kept,
      keep: false,
      onBytes: () => undefined,
      signal: cancel.signal,
    };
    return { job, outcome: outcome.finally(() => removeFile(socket)) };
  } catch (error) {
    release();
    throw error;
  }
}
function requirePossible({ direction, format, base, offset = 0 }: Begin): void {
  const refuse = (operation: string) => storageErrors.make('Not_supported', { operation, type: 'all' });
  if (base !== undefined && (direction === 'import' || !formats[format].differences))
    throw refuse(`${direction} of differences as ${format}`);
  if (offset > 0 && direction === 'import' && format !== 'raw') throw refuse(`going on with an import of ${format}`);
}

async function run(job: Job, door: Door, move: (peer: Duplex) => Promise<number>): Promise<{ bytes: number }> {
  try {
    const peer = await door.accept(job.signal);
    const stop = () => peer.destroy();
    job.signal.addEventListener('abort', stop, { once: true });
    try {
      return { bytes: await move(peer) };
    } catch (error) {
      peer.destroy();
      throw job.signal.aborted ? storageErrors.make('Cancelled') : error;
    } finally {
      job.signal.removeEventListener('abort', stop);
    }
  } finally {
    door.close();
  }
}
