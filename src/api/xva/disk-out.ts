/** The content of a disk as the members of an XVA archive. */
import type { Rec } from '../../datamodel/index.ts';
import { StreamReader } from '../../wire/stream-reader.ts';
import { tarHeader, tarPadding } from '../../wire/tar.ts';
import { chunkName, xvaChunk } from '../../wire/xva.ts';
import type { Working } from '../context.ts';
import { cancel } from '../routes/disk-target.ts';
import type { Checksums } from './checksum.ts';

export interface DiskOut {
  readonly vdi: Rec<'VDI'>;
  readonly sr: Rec<'SR'>;
  /** Name in the archive. */
  readonly id: string;
  /** Of the members, in seconds since 1970. */
  readonly modified: number;
  /** Hears how many bytes of the disk have passed. */
  readonly onBytes: (at: number) => void;
}

/** Holds the disk while it gives. */
export async function* diskMembers(working: Working, checksums: Checksums, disk: DiskOut): AsyncGenerator<Buffer> {
  for await (const { number, data } of chunksOf(working, disk)) {
    yield* member(chunkName(disk.id, number), data, disk.modified);
    yield* member(`${chunkName(disk.id, number)}.xxhash`, Buffer.from(checksums.of(data)), disk.modified);
  }
}
export function* member(name: string, data: Buffer, modified: number): Generator<Buffer> {
  yield tarHeader({ name, size: data.length }, modified);
  yield data;
  const padding = tarPadding(data.length);
  if (padding > 0) yield Buffer.alloc(padding);
}

async function* chunksOf(working: Working, disk: DiskOut): AsyncGenerator<{ number: number; data: Buffer }> {
  const { storage, task } = working;
  const args = { sr: disk.sr.uuid, vdi: disk.vdi.uuid, direction: 'export', format: 'framed' } as const;
  const { transfer, socket: path } = await storage.transfer.begin(args, { label: task.ref });
  const done = storage.transfer.wait({ transfer }, { label: task.ref, signal: task.signal });
  // It is awaited below; until then a failure shows as the end of the socket.
  done.catch(() => undefined);
  try {
    const socket = await working.connect(path);
    try {
      yield* assembled(new StreamReader(socket), disk);
    } catch (error) {
      // When storage hung up, `done` says why.
      if (socket.destroyed) await done;
      throw error;
    }
    await done;
  } finally {
    await cancel(working, { transfer, done });
  }
}
/** Whole chunks from frames with places: those that hold something, the first and the last. */
async function* assembled(
  frames: StreamReader,
  { vdi, onBytes }: DiskOut,
): AsyncGenerator<{ number: number; data: Buffer }> {
  const size = vdi.virtual_size;
  const last = Math.ceil(size / xvaChunk) - 1;
  const empty = (number: number) => Buffer.alloc(Math.min(xvaChunk, size - number * xvaChunk));
  let number = 0;
  /** Made when something comes that is not the whole of it. */
  let data: Buffer | undefined;
  let used = true;
  const go = function* (to: number) {
    if (used || number === 0) yield { number, data: data ?? empty(number) };
    number = to;
    data = undefined;
    used = false;
    onBytes(to * xvaChunk);
  };
  for (;;) {
    const head = await frames.take(12, 'a frame');
    const place = Number(head.readBigUInt64LE(0));
    const length = head.readUInt32LE(8);
    if (place === 0 && length === 0) {
      // Storage is done when its last byte was taken and the end was seen.
      await frames.tail(1);
      break;
    }
    for (let at = place; at < place + length; ) {
      const to = Math.floor(at / xvaChunk);
      if (to !== number) yield* go(to);
      const piece = await frames.take(Math.min(place + length - at, (to + 1) * xvaChunk - at), 'a frame');
      if (piece.length === Math.min(xvaChunk, size - to * xvaChunk)) data = piece;
      else piece.copy((data ??= empty(to)), at - to * xvaChunk);
      used ||= !isZero(piece);
      at += piece.length;
    }
  }
  if (number !== last) yield* go(last);
  yield { number, data: data ?? empty(number) };
}
const zeroes = Buffer.alloc(xvaChunk);
const isZero = (data: Buffer): boolean => data.equals(zeroes.subarray(0, data.length));
