/** Makes the disk records of a repository match what is on its medium. */
import type { VdiInfo } from '../../contracts/storage.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { nullRef } from '../../datamodel/dsl.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { Db, Patch, Writer } from '../../db/db.ts';
import { chainConfig } from '../chain-config.ts';
import { refreshAllowed } from '../guards.ts';

interface Parts {
  readonly db: Db;
}

/** Where the driver finds the disk: its file name for CD images, else its id. */
export const locationOf = (info: VdiInfo): string => (info.format === 'iso' ? info.name : info.vdi);

/** What storage knows of a disk. A record that says read-only stays so: users may ask for that. */
function seen(info: VdiInfo, before?: Rec<'VDI'>): Patch<'VDI'> {
  return {
    virtual_size: info.virtualSize,
    physical_utilisation: info.physicalUtilisation,
    read_only: info.readOnly || (before?.read_only ?? false),
    missing: false,
    sm_config: chainConfig(before?.sm_config ?? { format: info.format }, info),
  };
}

/** The fields of a record for a disk that was found. */
export function foundDisk(db: Db, sr: Ref<'SR'>, info: VdiInfo): Patch<'VDI'> {
  const of = info.snapshotOf === null ? undefined : db.findByUuid('VDI', info.snapshotOf);
  return {
    uuid: info.vdi,
    location: locationOf(info),
    SR: sr,
    name_label: info.name,
    name_description: info.description,
    type: 'user',
    managed: true,
    is_a_snapshot: info.snapshotOf !== null,
    snapshot_of: of ?? nullRef,
    ...seen(info),
  };
}

/**
 * Applies a scan: new disks get records, sizes are brought up to date, records of disks that are gone are removed, or marked
 * missing while drives refer to them. `known` are the records from before the scan began: a disk that was made meanwhile is not gone.
 * Answers the disks that could not be taken in because another repository has one with the same id.
 */
export function applyScan(
  { db }: Parts,
  sr: Ref<'SR'>,
  known: readonly Ref<'VDI'>[],
  found: readonly VdiInfo[],
): readonly VdiInfo[] {
  return db.write((w) => {
    const there = new Map(found.map((info) => [info.vdi, info]));
    const clashing: VdiInfo[] = [];
    for (const ref of known) {
      const vdi = db.find('VDI', ref);
      // What is left of a snapshot without data is in no repository.
      const noted = vdi?.type === 'cbt_metadata';
      if (vdi && !noted && vdi.SR === sr && !there.has(vdi.uuid)) vanish(db, w, ref, vdi);
    }
    // Originals first, so that their snapshots can refer to them.
    for (const info of [...found].sort((a, b) => Number(a.snapshotOf !== null) - Number(b.snapshotOf !== null))) {
      const ref = db.findByUuid('VDI', info.vdi);
      if (ref === undefined) refreshAllowed(db, w, 'VDI', w.create('VDI', foundDisk(db, sr, info)));
      else if (db.get('VDI', ref).SR === sr) reappear(db, w, ref, info);
      else clashing.push(info);
    }
    return clashing;
  });
}

function reappear(db: Db, w: Writer, ref: Ref<'VDI'>, info: VdiInfo): void {
  const before = db.get('VDI', ref);
  w.set('VDI', ref, { ...seen(info, before), location: locationOf(info) });
  if (before.missing) refreshAllowed(db, w, 'VDI', ref);
}

function vanish(db: Db, w: Writer, ref: Ref<'VDI'>, vdi: Rec<'VDI'>): void {
  if (vdi.VBDs.length === 0) {
    w.destroy('VDI', ref);
    return;
  }
  if (vdi.missing) return;
  w.set('VDI', ref, { missing: true });
  refreshAllowed(db, w, 'VDI', ref);
}

/** Removes the record of a disk and the drives that only it filled; CD drives become empty. */
export function removeDisk(db: Db, w: Writer, ref: Ref<'VDI'>): void {
  for (const r of db.get('VDI', ref).VBDs) {
    const vbd = db.get('VBD', r);
    if (vbd.type === 'CD') {
      w.set('VBD', r, { VDI: nullRef, empty: true });
      continue;
    }
    w.destroy('VBD_metrics', vbd.metrics);
    w.destroy('VBD', r);
  }
  w.destroy('VDI', ref);
}
