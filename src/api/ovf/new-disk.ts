/** A new disk out of a file that streams in, whatever format it has. */
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { bestEffort } from '../../base/best-effort.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { type DiskFormat, diskHeadSize, diskSizeOf, sniffDisk } from '../../wire/disk-head.ts';
import { FormatError } from '../../wire/format-error.ts';
import { StreamReader } from '../../wire/stream-reader.ts';
import type { Working } from '../context.ts';
import { createDisk, destroyDisk } from '../handlers/vdi-work.ts';
import { DiskSink } from '../xva/disk-sink.ts';

export interface DiskFile {
  readonly sr: Ref<'SR'>;
  readonly name: string;
  /** Name of the file, whose ending may tell the format. */
  readonly file: string;
  readonly content: AsyncIterable<Buffer>;
  /** Bytes of the file, where they are known. */
  readonly length: number | undefined;
  readonly gzip: boolean;
  /** What the disk is said to hold at least, in bytes. */
  readonly capacity: number;
  readonly format?: DiskFormat | undefined;
}

/** A failure leaves no disk. */
export async function fillNewDisk(working: Working, a: DiskFile): Promise<Ref<'VDI'>> {
  const stream = new StreamReader(a.gzip ? unpacked(a.content) : a.content);
  const head = await stream.peek(diskHeadSize);
  const format = a.format ?? sniffDisk(head, a.file);
  if (!format) throw new FormatError(`the file ${JSON.stringify(a.file)} is of no format that is read`);
  const size = Math.max(a.capacity, sizeOf(format, head, a));
  const disk = await createDisk(working, { sr: a.sr, size, name: a.name, description: '', type: 'user' });
  let sink: DiskSink | undefined;
  try {
    sink = await DiskSink.open(working, disk, format);
    for (let piece = await stream.some(1 << 20); piece; piece = await stream.some(1 << 20)) await sink.write(piece);
    await sink.end();
    return disk;
  } catch (error) {
    const why = sink?.failure ?? error;
    await sink?.giveUp();
    await bestEffort('a disk whose import failed stays', working.log, () => destroyDisk(working, disk));
    throw why;
  }
}
/** Of a packed file of plain content only the capacity is known. */
function sizeOf(format: DiskFormat, head: Buffer, { gzip, length, capacity }: DiskFile): number {
  return diskSizeOf(format, head, gzip ? capacity || undefined : length);
}
function unpacked(content: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const unpacker = createGunzip();
  // A failure of either comes out of the unpacker, where it is read.
  pipeline(Readable.from(content, { objectMode: false }), unpacker, () => undefined);
  return unpacker;
}
