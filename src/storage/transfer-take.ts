/** The receiving side of a transfer: a stream of some format becomes the content of a disk. */
import { type FileHandle, open } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { storageErrors } from '../contracts/storage.ts';
import { FormatError } from '../wire/format-error.ts';
import { StreamReader } from '../wire/stream-reader.ts';
import type { Staged } from './driver.ts';
import { hasCode } from './durable.ts';
import type { DiskTarget } from './formats/disk.ts';
import type { Into } from './formats/format.ts';
import { openTarget } from './formats/image-target.ts';
import { formats } from './formats/index.ts';
import { NbdError } from './nbd.ts';
import { serveImage } from './nbd-server.ts';
import { convertImage } from './qemu-img.ts';
import type { Job } from './transfers.ts';

/** Answers the bytes that came. */
export async function take(job: Job, peer: Duplex): Promise<number> {
  const { ground, sr, vdi, format, offset = 0 } = job;
  const { repositories } = ground;
  const stream = new StreamReader(peer, job.onBytes);
  const liesOn = formats[format].liesOn?.(await stream.peek(512)) ?? false;
  const kept = await job.kept.take(job, offset);
  const staged = kept ?? (await repositories.serial(sr, () => repositories.get(sr).repository.stage({ replace: vdi })));
  /** Set when what was written until then is kept. */
  let reached: number | undefined;
  try {
    if (liesOn) await fillIn(job, staged);
    await fill(job, staged, stream, { isEmpty: !liesOn, onReached: (at) => (reached = at) });
    await commit(job, staged);
    peer.end();
    return stream.position;
  } catch (error) {
    if (job.keep && reached !== undefined) job.kept.put(job, staged, reached);
    else await staged.discard();
    throw job.signal.aborted ? storageErrors.make('Cancelled') : await worded(job, error);
  }
}
/** The present content, for a stream that lies on it. */
async function fillIn({ ground, sr, vdi, signal }: Job, staged: Staged): Promise<void> {
  const { repositories } = ground;
  const image = await repositories.serial(sr, () => repositories.get(sr).repository.path(vdi));
  await convertImage(image, staged, { signal });
}
/** Writes the stream into the hidden file; all is in it, and nobody has it open, when this answers. */
async function fill(
  job: Job,
  staged: Staged,
  stream: StreamReader,
  { isEmpty, onReached }: { isEmpty: boolean; onReached: (at: number) => void },
): Promise<void> {
  const image = await openImage(job, staged, isEmpty);
  const spools: FileHandle[] = [];
  let reached: number | undefined;
  const into: Into = {
    target: image.target,
    size: job.size,
    from: job.offset ?? 0,
    isEmpty,
    onReached: (at) => {
      reached = at;
    },
    async spool(rest, most) {
      const file = await open(staged.spool, 'wx+', 0o600);
      spools.push(file);
      await keep(file, rest, most);
      return file;
    },
  };
  try {
    await formats[job.format].read(stream, into);
    await image.finish();
  } catch (error) {
    if (job.keep && reached !== undefined) {
      await image.finish();
      onReached(reached);
    } else await image.giveUp();
    throw error;
  } finally {
    for (const file of spools) await file.close();
  }
}
interface OpenImage {
  readonly target: DiskTarget;
  finish(): Promise<void>;
  giveUp(): Promise<void>;
}
/** A new file is written straight; one that has content, or is a VHD, by QEMU. */
async function openImage(job: Job, staged: Staged, isEmpty: boolean): Promise<OpenImage> {
  const { path, format, virtualSize } = staged;
  if (format !== 'vpc' && isEmpty && !job.offset) {
    const target = await openTarget(path, format, virtualSize);
    const finish = async () => {
      await target.finish();
      await target.close();
    };
    return { target, finish, giveUp: () => target.close() };
  }
  const served = await serveImage({ path, format, readOnly: false }, `${job.socket}.nbd`, job.ground.clock);
  const finish = async () => {
    await served.client.flush();
    await served.close();
  };
  return { target: served.client, finish, giveUp: () => served.kill() };
}
async function keep(file: FileHandle, rest: StreamReader, most: number): Promise<void> {
  for (let at = 0; ; ) {
    const data = await rest.upTo(1 << 20);
    if (data.length === 0) return;
    if (at + data.length > most) throw new FormatError(`it is longer than ${most} bytes, more than its disk can need`);
    await file.write(data, 0, data.length, at);
    at += data.length;
  }
}
async function commit({ ground, sr, vdi, signal }: Job, staged: Staged): Promise<void> {
  await ground.repositories.serial(sr, async () => {
    if (signal.aborted) throw storageErrors.make('Cancelled');
    await staged.commit();
  });
  ground.changed(sr, vdi);
}
async function worded({ ground, sr, format }: Job, error: unknown): Promise<unknown> {
  if (error instanceof FormatError) {
    const what = format === 'raw' || format === 'framed' ? 'the stream' : `the ${format} file`;
    return storageErrors.make('Bad_data', { reason: `${what} is refused: ${error.message}` }, { cause: error });
  }
  const full = (error instanceof NbdError && error.errno === 28) || hasCode(error, 'ENOSPC');
  if (!full) return error;
  const { total, used } = await ground.repositories.get(sr).repository.stat();
  return storageErrors.make('Sr_full', { sr, free: total - used, needed: 'more' }, { cause: error });
}
