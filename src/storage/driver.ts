/**
 * What a kind of storage must be able to do. Adding one is a folder in `drivers/` and a row in `drivers/index.ts`;
 * `tests/conformance/storage-driver.ts` says what each verb means.
 *
 * The server above serialises the verbs of one repository, keeps who has which disk open, and calls no verb that changes a
 * disk while somebody has it open, but for those of `live`. A driver therefore holds no locks. It keeps every disk readable when
 * it is killed at any instant: new files get temporary names, are synced and then renamed; `attach` removes what was left.
 */

import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Call } from '../contracts/contract.ts';
import type { OpenDisk, SrStat, VdiInfo } from '../contracts/storage.ts';

export type Config = Readonly<Record<string, string>>;
/** What drivers are given; nothing else. */
export interface Ground {
  /** Folder for repositories that name no place of their own. */
  readonly dir: string;
  readonly ids: Ids;
  readonly log: Log;
}
/** As users call them. */
export type DiskFormat = 'raw' | 'qcow2' | 'vhd';
export type Capability =
  | 'create'
  | 'destroy'
  | 'resize'
  | 'snapshot'
  | 'clone'
  | 'copy'
  | 'import'
  | 'export'
  | 'rename';

export interface Driver {
  readonly type: string;
  readonly label: string;
  readonly description: string;
  /** Configuration keys → what they mean. */
  readonly config: Config;
  readonly capabilities: readonly Capability[];
  /** Of disks that it can make, the usual one first. */
  readonly formats: readonly DiskFormat[];
  /** Sizes of disks are rounded up to a multiple of this. */
  readonly sizeUnit: number;
  /** Makes an empty repository. Already_exists when one is there; Bad_config for a place that will not do. */
  create(ground: Ground, sr: string, config: Config): Promise<void>;
  /** Opens a repository and repairs what a crash left. Bad_config when it is not there. */
  attach(ground: Ground, sr: string, config: Config): Promise<Repository>;
  /** The repositories at a place; none is an empty list. */
  probe(ground: Ground, config: Config): Promise<readonly { sr: string; vdis: number }[]>;
}

export interface NewDisk {
  readonly vdi: string;
  readonly name: string;
  readonly description: string;
  /** Bytes, more than 0. */
  readonly virtualSize: number;
  readonly format?: DiskFormat;
}
/** The user and group that must be able to open a disk's files. */
export interface Owner {
  readonly uid?: number;
  readonly gid?: number;
}

export interface Repository {
  stat(): Promise<Omit<SrStat, 'sr' | 'type'>>;
  /** Reads the medium anew. */
  scan(): Promise<readonly VdiInfo[]>;
  /** Deletes the repository, which holds no disks. */
  destroy(): Promise<void>;
  /** Does_not_exist when there is no such disk; so for every verb below. */
  info(vdi: string): Promise<VdiInfo>;
  create(disk: NewDisk): Promise<VdiInfo>;
  /** No error when there is none. */
  remove(vdi: string): Promise<void>;
  /** Layers that can be made one, which gives back space and length of chains. Only of disks that are all `idle`; absent: never. */
  nextMerge?(idle: (vdi: string) => boolean, quick: boolean): Promise<Merge | undefined>;
  /** Grows; the caller has checked that it grows. */
  resize(vdi: string, virtualSize: number): Promise<VdiInfo>;
  rename(vdi: string, name: string | undefined, description: string | undefined): Promise<void>;
  /** Freezes the present content as the read-only disk `to`. */
  snapshot(vdi: string, to: string, name: string | undefined): Promise<VdiInfo>;
  /** A writable disk `to` with the present content. */
  clone(vdi: string, to: string, name: string | undefined): Promise<VdiInfo>;
  /** Snapshots of disks that are being written to; absent where that cannot be done. */
  readonly live?: LiveSnapshots;
  /** How a hypervisor or tool opens it. */
  path(vdi: string): Promise<Omit<OpenDisk, 'readOnly'>>;
  /** Lets the owner open the disk's files, now and until `revoke`. Repeating it changes nothing. */
  grant(vdi: string, mode: 'RO' | 'RW', owner: Owner): Promise<void>;
  /** Takes the files back. */
  revoke(vdi: string): Promise<void>;
  /** A hidden file that becomes a new disk, or the whole new content of an existing one, when it is committed. */
  stage(target: { readonly create: NewDisk } | { readonly replace: string }): Promise<Staged>;
}

/**
 * A writer has the disk's file open and goes on writing to it when that file becomes `base`, below a new, empty layer that has the
 * disk's name. It goes over to that layer in its own time; from then on `base` does not change any more.
 */
export interface LiveSnapshots {
  /** Repeating it with the same `base` (a UUID) changes nothing, whether the writer has gone over or not. */
  freeze(vdi: string, base: string): Promise<void>;
  /** The read-only disk `to` with what `base` holds. */
  snapshot(vdi: string, base: string, to: string, name: string | undefined): Promise<VdiInfo>;
}

/** Two layers that become one. The content of the disks stays as it is at any moment of it. */
export interface Merge {
  /** The disks that lie on them: nobody may open, change or branch one before `finish`. */
  readonly disks: readonly string[];
  /** The long part, not in the repository's turn. May be given up at any time, and done again. */
  commit(call?: Call): Promise<void>;
  /** In the repository's turn, when nobody had one of the disks since. */
  finish(): Promise<void>;
}

/** An unfinished disk, all zeroes at first. Nobody sees it before `commit`; a crash removes it. */
export interface Staged {
  readonly path: string;
  readonly format: OpenDisk['format'];
  readonly virtualSize: number;
  /** Path of another hidden file, for what has to be kept while this one is made. It is removed with it. */
  readonly spool: string;
  /** Makes it durable and gives it its name. */
  commit(): Promise<VdiInfo>;
  discard(): Promise<void>;
}
