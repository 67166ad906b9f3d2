/** The giving side of a transfer: the content of a disk as a file of some format. */
import type { Duplex } from 'node:stream';
import { Unwind } from '../base/unwind.ts';
import { storageErrors } from '../contracts/storage.ts';
import { FormatError } from '../wire/format-error.ts';
import type { DiskSource } from './formats/disk.ts';
import { formats } from './formats/index.ts';
import { type Plan, send } from './formats/plan.ts';
import { openSource } from './open-source.ts';
import type { Job } from './transfers.ts';

export interface Given {
  /** Bytes of the whole file; null when only its end tells. */
  readonly length: number | null;
  /** Answers the bytes that were given. */
  move(peer: Duplex): Promise<number>;
  /** Ends what serves the disk, if it still does. */
  drop(): Promise<void>;
}

/** Opens the disk, and its base, and finds out what there is to give. */
export async function prepareGive(job: Job): Promise<Given> {
  const { vdi, format, base, offset: from = 0, size } = job;
  const unwind = new Unwind();
  try {
    const disk = await serve(job, vdi, `${job.socket}.nbd`);
    unwind.add(() => disk.kill());
    const under = base === undefined ? undefined : await serve(job, base, `${job.socket}.nb2`);
    if (under) unwind.add(() => under.kill());
    const { source } = disk;
    const lower = under && base !== undefined ? { id: base, source: under.source, size: under.source.size } : undefined;
    const plan = await formats[format].plan({ source, size, id: vdi, ...(lower ? { base: lower } : {}) });
    const { length } = plan;
    if (length === null ? from > 0 : from > length)
      throw storageErrors.make('Bad_size', {
        size: from,
        reason: `the file has ${length ?? 'an unknown number of'} bytes`,
      });
    return {
      length,
      move: async (peer) => {
        const total = await give(plan, job, source, peer);
        for (const each of [disk, under]) await each?.close();
        unwind.keep();
        return total;
      },
      drop: () => unwind.run(),
    };
  } catch (error) {
    await unwind.run();
    throw error instanceof FormatError
      ? storageErrors.make('Bad_data', { reason: `as ${format}: ${error.message}` }, { cause: error })
      : error;
  }
}
const serve = (job: Job, vdi: string, socket: string) =>
  openSource(job.ground, { sr: job.sr, vdi, socket, signal: job.signal });
async function give(plan: Plan, job: Job, source: DiskSource, peer: Duplex): Promise<number> {
  const { offset: from = 0, onBytes } = job;
  const total = await send(plan, source, peer, { from, onBytes });
  await new Promise<void>((resolve, reject) => {
    peer.once('error', reject);
    peer.end(resolve);
  });
  return total;
}
