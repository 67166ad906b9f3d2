/** What a file format of disks must be able to do. Adding one is a file and a row in `index.ts`. */
import type { StreamReader } from '../../wire/stream-reader.ts';
import type { DiskSource, DiskTarget } from './disk.ts';
import type { Plan } from './plan.ts';

/** A file that can be read anywhere: what `FileHandle` does. */
export interface Spool {
  read(into: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  stat(): Promise<{ readonly size: number }>;
}
/** Where an import goes. */
export interface Into {
  readonly target: DiskTarget;
  /** Bytes of the disk: what lies behind is refused. */
  readonly size: number;
  /** Byte of the disk where a raw stream begins. */
  readonly from: number;
  /** Whether the disk reads as zeroes; otherwise it has the content that the stream lies on. */
  readonly isEmpty: boolean;
  /** Hears, when a raw stream breaks off, up to which byte the disk was written. */
  readonly onReached?: (at: number) => void;
  /** Keeps the rest of the stream, which is then read anywhere. At most `most` bytes. */
  spool(stream: StreamReader, most: number): Promise<Spool>;
}
/** What an export is made of. */
export interface From {
  readonly source: DiskSource;
  /** Bytes of the disk. */
  readonly size: number;
  /** UUID of the disk. */
  readonly id: string;
  /** The disk that only differences to are wanted. */
  readonly base?: { readonly id: string; readonly source: DiskSource; readonly size: number };
}
export interface Format {
  /** A FormatError says why the stream is refused; what was written until then is thrown away by the caller. */
  read(stream: StreamReader, into: Into): Promise<void>;
  /** Whether a stream that begins so lies on the present content of the disk. */
  liesOn?(head: Buffer): boolean;
  plan(from: From): Promise<Plan>;
  /** Whether `plan` knows what to do with a base. */
  readonly differences: boolean;
}
