/** The plain content, and the same in frames: before each piece its place as a little-endian u64 and its length as a u32; twelve zero bytes end it. */
import { require } from '../../wire/format-error.ts';
import type { StreamReader } from '../../wire/stream-reader.ts';
import { differing } from './differing.ts';
import { extentsOf, pieceSize } from './disk.ts';
import type { Format, From, Into } from './format.ts';
import type { Segment } from './plan.ts';
import { DiskWriter } from './window.ts';

async function readRaw(stream: StreamReader, { target, size, from, isEmpty, onReached }: Into): Promise<void> {
  const writer = new DiskWriter(target, isEmpty);
  let at = from;
  const next = async (): Promise<Buffer> => {
    try {
      // Pieces begin at whole pieces of the disk, so that holes stay holes.
      return await stream.upTo(pieceSize - (at % pieceSize));
    } catch (error) {
      await writer.drain();
      onReached?.(at);
      throw error;
    }
  };
  for (let data = await next(); data.length > 0; data = await next()) {
    require(at + data.length <= size, `it is longer than the disk's ${size} bytes`);
    await writer.put(at, data);
    at += data.length;
  }
  await writer.drain();
}
export const raw: Format = {
  read: readRaw,
  differences: false,
  async plan({ source, size }) {
    async function* segments(): AsyncGenerator<Segment> {
      for await (const { at, length, zero } of extentsOf(source, size))
        yield zero ? { zeroes: length } : { disk: at, length };
    }
    return { length: size, segments };
  },
};

const frameHead = 12;
function head(at: number, length: number): Buffer {
  const b = Buffer.alloc(frameHead);
  b.writeBigUInt64LE(BigInt(at), 0);
  b.writeUInt32LE(length, 8);
  return b;
}
async function readFramed(stream: StreamReader, { target, size, isEmpty }: Into): Promise<void> {
  const writer = new DiskWriter(target, isEmpty);
  for (let last = 0; ; ) {
    const frame = await stream.take(frameHead, 'the header of a piece');
    const place = frame.readBigUInt64LE(0);
    const length = frame.readUInt32LE(8);
    if (place === 0n && length === 0) break;
    require(place + BigInt(length) <= BigInt(size), `a piece at ${place} ends behind the disk's ${size} bytes`);
    require(place >= BigInt(last), `a piece at ${place} comes after one that ends at ${last}`);
    const end = Number(place) + length;
    for (let at = Number(place); at < end; ) {
      const data = await stream.take(Math.min(end - at, pieceSize - (at % pieceSize)), `the piece at ${place}`);
      await writer.put(at, data);
      at += data.length;
    }
    last = end;
  }
  await writer.drain();
  require((await stream.some(1)) === undefined, 'data follows the header that ends it');
}
/** Frames of at most this many bytes. */
const frameSize = 1 << 20;
/** Parts of the disk that are to be sent: where there is a base what differs from it, zeroes too; else what is not zero. */
async function* parts({ source, size, base }: From): AsyncGenerator<{ at: number; length: number }> {
  if (base) {
    const map = await differing(source, base.source, size, pieceSize);
    for (const i of map.units()) yield { at: i * pieceSize, length: Math.min(pieceSize, size - i * pieceSize) };
  } else for await (const { at, length, zero } of extentsOf(source, size)) if (!zero) yield { at, length };
}
export const framed: Format = {
  read: readFramed,
  differences: true,
  async plan(from) {
    async function* segments(): AsyncGenerator<Segment> {
      for await (const { at, length } of parts(from))
        for (let done = 0; done < length; done += frameSize) {
          const now = Math.min(frameSize, length - done);
          yield { bytes: head(at + done, now) };
          yield { disk: at + done, length: now };
        }
      yield { bytes: head(0, 0) };
    }
    return { length: null, segments };
  },
};
