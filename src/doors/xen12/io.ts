/** What a command has besides its arguments. */
import type { Xenops } from '../../contracts/xenops.ts';
import type { Media } from './virtual-disks.ts';

export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** The whole of a file; undefined when it cannot be read. */
  readonly read: (path: string) => string | undefined;
  readonly exists: (path: string) => boolean;
  /** Ctrl-C. */
  readonly signal?: AbortSignal;
}
export interface Tools extends Io {
  readonly xenops: Xenops;
  readonly uuid: () => string;
  /** The bridge of interfaces that name none. */
  readonly bridge: string;
  /** What a virtual disk is for the domain manager; throws a sentence when there is no such disk. */
  readonly virtualDisk: (id: string) => Promise<Media>;
  /** How many bytes a medium has; undefined when nobody can tell. */
  readonly sizeOf: (media: Media) => Promise<number | undefined>;
}
