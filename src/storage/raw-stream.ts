/** Raw disk content between a socket and an NBD export: whole blocks, holes skipped, a bounded number of requests at once. */
import type { Readable, Writable } from 'node:stream';
import { storageErrors } from '../contracts/storage.ts';
import type { NbdClient } from './nbd.ts';

const blockSize = 256 << 10;
const zeroUnit = 64 << 10;
const zeroes = Buffer.alloc(blockSize);
const inFlight = 16;
/** How far one block status may reach. */
const statusSpan = 1 << 30;

const isZero = (data: Buffer): boolean => data.equals(zeroes.subarray(0, data.length));

/** Up to `inFlight` pieces of work at once; the first failure comes out of `add` or `drain`. */
class Window {
  readonly #running = new Set<Promise<void>>();
  #failure: { error: unknown } | undefined;

  async add(work: Promise<void>): Promise<void> {
    const entry = work
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(entry));
    this.#running.add(entry);
    if (this.#running.size >= inFlight) await Promise.race(this.#running);
    if (this.#failure) throw this.#failure.error;
  }
  async drain(): Promise<void> {
    await Promise.all(this.#running);
    if (this.#failure) throw this.#failure.error;
  }
}

/**
 * Writes what `source` gives into an export that is all zeroes; answers the number of bytes when the source ends. More
 * than `limit` bytes are Bad_data. Nothing is flushed yet.
 */
export async function importRaw(
  source: Readable,
  target: NbdClient,
  limit: number,
  onBytes: (total: number) => void,
): Promise<number> {
  const writes = new Window();
  let block = Buffer.allocUnsafe(blockSize);
  let filled = 0;
  let start = 0;
  const put = async () => {
    const full = block.subarray(0, filled);
    for (let at = 0; at < filled; ) {
      const skip = isZero(full.subarray(at, at + zeroUnit));
      let end = at + zeroUnit;
      while (!skip && end < filled && !isZero(full.subarray(end, end + zeroUnit))) end += zeroUnit;
      if (!skip) await writes.add(target.write(start + at, full.subarray(at, Math.min(end, filled))));
      at = end;
    }
    start += filled;
    filled = 0;
    block = Buffer.allocUnsafe(blockSize);
  };
  let total = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    total += chunk.length;
    if (total > limit) throw storageErrors.make('Bad_data', { reason: `it is longer than the disk's ${limit} bytes` });
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.copy(block, filled, at);
      filled += taken;
      at += taken;
      if (filled === blockSize) await put();
    }
    onBytes(total);
  }
  await put();
  await writes.drain();
  return total;
}

/** Gives the first `length` bytes of an export; holes are not read. Answers when the last byte was handed to `sink`. */
export async function exportRaw(
  source: NbdClient,
  sink: Writable,
  length: number,
  onBytes: (total: number) => void,
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
  const shift = async () => {
    const next = ahead.shift();
    if (next) await give(await next);
  };
  for await (const piece of pieces(source, length)) {
    const data = piece.zero
      ? Promise.resolve(zeroes.subarray(0, piece.length))
      : source.read(piece.offset, piece.length);
    data.catch(() => undefined);
    ahead.push(data);
    if (ahead.length >= inFlight) await shift();
  }
  while (ahead.length > 0) await shift();
  return total;
}

/** Blocks of at most `blockSize`, in order. */
async function* pieces(source: NbdClient, length: number) {
  for (let at = 0; at < length; ) {
    for (const extent of await source.blockStatus(at, Math.min(statusSpan, source.size - at))) {
      const end = Math.min(length, at + extent.length);
      for (; at < end; at += blockSize) {
        yield { offset: at, length: Math.min(blockSize, end - at), zero: extent.zero };
      }
      at = end;
      if (at >= length) return;
    }
  }
}
