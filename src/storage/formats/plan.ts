/**
 * A disk as a file of some format: what comes one after the other. Where all of it is known before the first byte of content is
 * read, so is the length, and it can be begun at any offset.
 */
import type { Writable } from 'node:stream';
import { storageErrors } from '../../contracts/storage.ts';
import { type DiskSource, inFlight, pieceSize, zeroes } from './disk.ts';

export type Segment =
  | { readonly bytes: Buffer }
  /** A part of the disk. */
  | { readonly disk: number; readonly length: number }
  | { readonly zeroes: number };
export interface Plan {
  /** Bytes of the whole; null when only its end tells. */
  readonly length: number | null;
  segments(): Iterable<Segment> | AsyncIterable<Segment>;
}
const lengthOf = (s: Segment): number => ('bytes' in s ? s.bytes.length : 'disk' in s ? s.length : s.zeroes);

/** The segments from byte `from` of the whole on. */
async function* since(plan: Plan, from: number): AsyncGenerator<Segment> {
  let passed = 0;
  for await (const s of plan.segments()) {
    const cut = Math.max(0, from - passed);
    passed += lengthOf(s);
    if (passed <= from) continue;
    if (cut === 0) yield s;
    else if ('bytes' in s) yield { bytes: s.bytes.subarray(cut) };
    else if ('disk' in s) yield { disk: s.disk + cut, length: s.length - cut };
    else yield { zeroes: s.zeroes - cut };
  }
}
/** What is to be sent, in pieces; disks are read when their piece is asked for. */
async function* reads(plan: Plan, from: number, source: DiskSource): AsyncGenerator<{ data: Promise<Buffer> }> {
  for await (const s of since(plan, from)) {
    if ('bytes' in s) yield { data: Promise.resolve(s.bytes) };
    else {
      const length = lengthOf(s);
      for (let at = 0; at < length; at += pieceSize) {
        const now = Math.min(pieceSize, length - at);
        yield { data: 'disk' in s ? source.read(s.disk + at, now) : Promise.resolve(zeroes.subarray(0, now)) };
      }
    }
  }
}

/** Sends the whole from byte `from` on. Answers the number of bytes when the last was handed to `sink`. */
export async function send(
  plan: Plan,
  source: DiskSource,
  sink: Writable,
  { from = 0, onBytes }: { from?: number; onBytes(total: number): void },
): Promise<number> {
  const gone = new Promise<never>((_, reject) => {
    const stop = () => reject(storageErrors.make('Bad_data', { reason: 'the receiver closed the connection' }));
    sink.once('close', stop).once('error', stop);
  });
  gone.catch(() => undefined);
  let total = 0;
  const give = async (data: Buffer) => {
    if (!sink.write(data)) await Promise.race([gone, new Promise((resolve) => sink.once('drain', resolve))]);
    total += data.length;
    onBytes(total);
  };
  const ahead: Promise<Buffer>[] = [];
  for await (const { data } of reads(plan, from, source)) {
    data.catch(() => undefined);
    ahead.push(data);
    if (ahead.length >= inFlight) await give(await (ahead.shift() as Promise<Buffer>));
  }
  for (const read of ahead) await give(await read);
  return total;
}
