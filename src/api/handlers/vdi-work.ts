/** Disks as several handlers need them: made, deleted and copied in storage and in the database together. */
import type { VdiInfo } from '../../contracts/storage.ts';
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { Patch } from '../../db/db.ts';
import { ask } from '../ask.ts';
import { chainConfig } from '../chain-config.ts';
import type { Working } from '../context.ts';
import { refreshAllowed } from '../guards.ts';
import { wireTime } from '../wire-time.ts';

export interface NewDisk {
  readonly sr: Ref<'SR'>;
  readonly size: number;
  readonly name: string;
  readonly description: string;
  readonly type: Rec<'VDI'>['type'];
  readonly format?: 'raw' | 'qcow2' | 'vhd';
  readonly managed?: boolean;
  readonly fields?: Patch<'VDI'>;
}

/** The repository, if it can be used from this host: SR_NOT_ATTACHED otherwise. */
export function usableSr(ctx: Working, sr: Ref<'SR'>): Rec<'SR'> {
  const record = ctx.db.get('SR', sr);
  if (!record.PBDs.some((p) => ctx.db.get('PBD', p).currently_attached)) throw fail('SR_NOT_ATTACHED', { sr });
  return record;
}

/** What storage knows of a disk, as fields of its record. */
const sizesOf = (info: VdiInfo): Patch<'VDI'> => ({
  virtual_size: info.virtualSize,
  physical_utilisation: info.physicalUtilisation,
  read_only: info.readOnly,
});

export async function createDisk(ctx: Working, disk: NewDisk): Promise<Ref<'VDI'>> {
  const sr = usableSr(ctx, disk.sr);
  const vdi = ctx.ids.uuid();
  const { size: virtualSize, name, description, format } = disk;
  const info = await ask(ctx, (call) =>
    ctx.storage.vdi.create({ sr: sr.uuid, vdi, name, description, virtualSize, ...(format ? { format } : {}) }, call),
  );
  return addRecord(ctx, disk.sr, info, {
    name_label: name,
    name_description: description,
    type: disk.type,
    ...disk.fields,
  });
}

/** The record of a disk that storage has just made, and the sizes of its repository. */
export async function addRecord(ctx: Working, sr: Ref<'SR'>, info: VdiInfo, fields: Patch<'VDI'>): Promise<Ref<'VDI'>> {
  const ref = ctx.db.write((w) => {
    const made = w.create('VDI', {
      uuid: info.vdi,
      location: info.vdi,
      SR: sr,
      managed: true,
      sm_config: chainConfig({ format: info.format }, info),
      ...sizesOf(info),
      ...fields,
    });
    refreshAllowed(ctx.db, w, 'VDI', made);
    return made;
  });
  await refreshSizes(ctx, sr);
  return ref;
}

export async function destroyDisk(ctx: Working, ref: Ref<'VDI'>): Promise<void> {
  const vdi = ctx.db.get('VDI', ref);
  const sr = ctx.db.get('SR', vdi.SR);
  await ask(ctx, (call) => ctx.storage.vdi.destroy({ sr: sr.uuid, vdi: vdi.uuid }, call));
  ctx.db.write((w) => {
    for (const r of vdi.VBDs) {
      const vbd = ctx.db.get('VBD', r);
      if (vbd.type === 'CD') w.set('VBD', r, { VDI: nullRef, empty: true });
      else w.destroy('VBD', r);
    }
    w.destroy('VDI', ref);
  });
  await refreshSizes(ctx, vdi.SR);
}

/** Fields that a copy takes from its original. */
function inherited(vdi: Rec<'VDI'>): Patch<'VDI'> {
  const { name_label, name_description, type, sharable, other_config, xenstore_data, tags, on_boot } = vdi;
  return { name_label, name_description, type, sharable, other_config, xenstore_data, tags, on_boot };
}

/** A fast copy in the same repository: a snapshot (read-only, linked) or a clone (writable, its own). */
export async function branchDisk(ctx: Working, ref: Ref<'VDI'>, kind: 'snapshot' | 'clone'): Promise<Ref<'VDI'>> {
  const args = branchArgs(ctx, ref);
  const info = await ask(ctx, (call) =>
    kind === 'snapshot' ? ctx.storage.vdi.snapshot(args, call) : ctx.storage.vdi.clone(args, call),
  );
  return addBranch(ctx, ref, info, kind);
}
/** How storage is asked for a fast copy. */
export function branchArgs(ctx: Working, ref: Ref<'VDI'>) {
  const { SR, uuid: vdi, name_label: name } = ctx.db.get('VDI', ref);
  return { sr: usableSr(ctx, SR).uuid, vdi, to: ctx.ids.uuid(), name };
}
/** The record of a fast copy that storage has made. */
export async function addBranch(
  ctx: Working,
  ref: Ref<'VDI'>,
  info: VdiInfo,
  kind: 'snapshot' | 'clone',
): Promise<Ref<'VDI'>> {
  const vdi = ctx.db.get('VDI', ref);
  const links: Patch<'VDI'> =
    kind === 'snapshot'
      ? {
          is_a_snapshot: true,
          snapshot_of: ref,
          snapshot_time: wireTime(ctx.clock.now()),
          cbt_enabled: vdi.cbt_enabled,
        }
      : {};
  const made = await addRecord(ctx, vdi.SR, info, { ...inherited(vdi), ...links });
  await refreshDisk(ctx, ref);
  return made;
}

/** A full copy, in `to` or the same repository. */
export async function copyDisk(ctx: Working, ref: Ref<'VDI'>, to: string): Promise<Ref<'VDI'>> {
  const vdi = ctx.db.get('VDI', ref);
  const target = (ctx.db.has('SR', to) ? to : vdi.SR) as Ref<'SR'>;
  const toSr = usableSr(ctx, target).uuid;
  const sr = usableSr(ctx, vdi.SR).uuid;
  const info = await ask(ctx, (call) =>
    ctx.storage.vdi.copy({ sr, vdi: vdi.uuid, toSr, to: ctx.ids.uuid(), name: vdi.name_label }, call),
  );
  return addRecord(ctx, target, info, { ...inherited(vdi), read_only: false });
}

/** Writes what storage says about the disk now. */
export async function refreshDisk(ctx: Working, ref: Ref<'VDI'>): Promise<void> {
  const vdi = ctx.db.get('VDI', ref);
  const sr = ctx.db.get('SR', vdi.SR);
  const info = await ask(ctx, (call) => ctx.storage.vdi.stat({ sr: sr.uuid, vdi: vdi.uuid }, call));
  // A user may have made it read-only on top of what storage says.
  const sm_config = chainConfig(vdi.sm_config, info);
  ctx.db.set('VDI', ref, { ...sizesOf(info), sm_config, read_only: info.readOnly || vdi.read_only });
}

/** Writes the sizes of a repository as they are now. */
export async function refreshSizes(ctx: Working, ref: Ref<'SR'>): Promise<void> {
  const sr = ctx.db.find('SR', ref);
  if (!sr?.PBDs.some((p) => ctx.db.get('PBD', p).currently_attached)) return;
  const stat = await ask(ctx, (call) => ctx.storage.sr.stat({ sr: sr.uuid }, call));
  // Read again: disks may have come and gone meanwhile, or the repository itself.
  const disks = ctx.db.find('SR', ref)?.VDIs;
  if (!disks) return;
  const virtual_allocation = disks.reduce((sum, v) => sum + ctx.db.get('VDI', v).virtual_size, 0);
  ctx.db.set('SR', ref, { physical_size: stat.total, physical_utilisation: stat.used, virtual_allocation });
}
