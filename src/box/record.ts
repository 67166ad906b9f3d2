/** What the disks and snapshots of a box belong to. A snapshot is used only with the very machine that it was taken of. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

export type SnapshotName = 'ready' | 'last';
export interface Snapshot {
  /** Digest of root's password at the time, as far as it was set from here. */
  readonly password?: string;
}
export interface BoxRecord {
  /** Digest of the layers, the settings and QEMU's command line. */
  readonly key: string;
  /** The snapshot `ready` was taken before anything was created in the box. */
  readonly pristine: boolean;
  readonly snapshots: Partial<Record<SnapshotName, Snapshot>>;
  /** What the running box has, as far as it is known. */
  readonly now: Snapshot;
}

/** The record, unless there is none or it is damaged: the box then starts anew from its data disk. */
export function readRecord(path: string): BoxRecord | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const found = JSON.parse(readFileSync(path, 'utf8')) as BoxRecord;
    return typeof found.key === 'string' && typeof found.snapshots === 'object' ? found : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Complete or not at all. */
export function writeRecord(path: string, record: BoxRecord): void {
  writeFileSync(`${path}.next`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.next`, path);
}
