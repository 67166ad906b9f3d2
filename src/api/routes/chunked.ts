/**
 * The framing `chunked` of disk uploads: before each piece of data its place on the disk as a little-endian u64 and its length as a
 * u32; a header of zeroes ends it. Turned into the plain content: what lies between two pieces is zeroes.
 */
import { fail } from '../../datamodel/errors.ts';

const headerSize = 12;
const zeroes = Buffer.alloc(256 * 1024);

/** Pieces must come in growing order; `limit` is the size of the disk in bytes. VDI_IO_ERROR says what is wrong. */
export async function* unframe(source: AsyncIterable<Buffer>, limit: number): AsyncGenerator<Buffer, void, undefined> {
  let header = Buffer.alloc(0);
  /** Bytes of the present piece that are still to come. */
  let left = 0;
  let at = 0;
  let ended = false;
  for await (const chunk of source) {
    let rest = chunk;
    while (rest.length > 0) {
      if (ended) throw broken('data follows the header that ends it');
      if (left > 0) {
        const piece = rest.subarray(0, left);
        yield piece;
        left -= piece.length;
        at += piece.length;
        rest = rest.subarray(piece.length);
        continue;
      }
      const missing = headerSize - header.length;
      header = Buffer.concat([header, rest.subarray(0, missing)]);
      rest = rest.subarray(missing);
      if (header.length < headerSize) break;
      const place = header.readBigUInt64LE(0);
      left = header.readUInt32LE(8);
      header = Buffer.alloc(0);
      if (place === 0n && left === 0) {
        ended = true;
        continue;
      }
      if (place + BigInt(left) > BigInt(limit))
        throw broken(`a piece at ${place} ends behind the disk's ${limit} bytes`);
      if (place < BigInt(at)) throw broken(`a piece at ${place} comes after one that ends at ${at}`);
      yield* zeroesUpTo(Number(place) - at);
      at = Number(place);
    }
  }
  if (!ended) throw broken('it ended without the header of zeroes');
}

function* zeroesUpTo(count: number): Generator<Buffer> {
  for (let left = count; left > 0; left -= zeroes.length) yield zeroes.subarray(0, Math.min(left, zeroes.length));
}
const broken = (why: string) => fail('VDI_IO_ERROR', [`The framing is broken: ${why}`]);
