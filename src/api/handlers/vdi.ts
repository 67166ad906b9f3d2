/** VDI: disks — made, deleted, resized, copied and named. */
import { Unwind } from '../../base/unwind.ts';
import { isKind } from '../../contracts/contract.ts';
import type { VDI } from '../../datamodel/classes/vdi.ts';
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Patch } from '../../db/db.ts';
import { ask } from '../ask.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import { unmanaged } from './sr.ts';
import { onSr, onVdi } from './sr-hold.ts';
import { vdiCbt } from './vdi-cbt.ts';
import { vdiIntroduce } from './vdi-introduce.ts';
import { snapshotLive } from './vdi-live.ts';
import { vdiMigrate } from './vdi-migrate.ts';
import { branchDisk, copyDisk, createDisk, destroyDisk, refreshDisk, refreshSizes, usableSr } from './vdi-work.ts';

/** `sm_config` may name the format: `image-format`, or `type` as older clients do. Others are left to the driver. */
function formatOf(sm_config: Readonly<Record<string, string>>): 'raw' | 'qcow2' | 'vhd' | undefined {
  const wanted = sm_config['image-format'] ?? sm_config['type'];
  return wanted === 'raw' || wanted === 'qcow2' || wanted === 'vhd' ? wanted : undefined;
}

async function create(ctx: Ctx, args: Readonly<Record<string, unknown>>): Promise<Ref<'VDI'>> {
  const given = args as Patch<'VDI'>;
  const sr = given.SR ?? nullRef;
  const size = given.virtual_size ?? 0;
  if (size <= 0) throw fail('INVALID_VALUE', { field: 'virtual_size', value: String(size) });
  const { sharable, read_only, other_config, xenstore_data, tags } = given;
  const format = formatOf(given.sm_config ?? {});
  return onSr(ctx, sr, 'vdi_create', async () => {
    const made = await createDisk(ctx, {
      sr,
      size,
      name: given.name_label ?? '',
      description: given.name_description ?? '',
      type: given.type ?? 'user',
      ...(format ? { format } : {}),
      fields: { sharable, read_only, other_config, xenstore_data, tags },
    });
    ctx.db.set('VDI', made, { sm_config: { ...given.sm_config, ...ctx.db.get('VDI', made).sm_config } });
    return made;
  });
}

async function destroy(ctx: Ctx, self: Ref<'VDI'>): Promise<void> {
  const { SR, uuid, cbt_enabled } = ctx.db.get('VDI', self);
  await onVdi(ctx, self, 'destroy', () => onSr(ctx, SR, 'vdi_destroy', () => destroyDisk(ctx, self)));
  if (cbt_enabled) await ask(ctx, (call) => ctx.storage.changes.forget({ vdi: uuid }, call));
}

async function resize(ctx: Ctx, vdi: Ref<'VDI'>, size: number): Promise<void> {
  const { SR, uuid } = ctx.db.get('VDI', vdi);
  const sr = usableSr(ctx, SR).uuid;
  await onSr(ctx, SR, 'vdi_resize', async () => {
    const info = await ask(ctx, (call) => ctx.storage.vdi.resize({ sr, vdi: uuid, virtualSize: size }, call));
    ctx.db.set('VDI', vdi, { virtual_size: info.virtualSize, physical_utilisation: info.physicalUtilisation });
    await refreshSizes(ctx, SR);
  });
}

type CopyArgs = Parameters<ClassHandlers<typeof VDI>['copy']>[1];
async function copy(ctx: Ctx, a: CopyArgs): Promise<Ref<'VDI'>> {
  if (a.into_vdi !== nullRef || a.base_vdi !== nullRef) {
    const reason = 'Copying into an existing disk is not possible here; copy without base_vdi and into_vdi';
    throw fail('OPERATION_NOT_ALLOWED', { reason });
  }
  const { SR } = ctx.db.get('VDI', a.vdi);
  const target = a.sr === nullRef ? SR : a.sr;
  usableSr(ctx, SR);
  ctx.task.cancellable();
  return onSr(ctx, target, 'vdi_copy', () => copyDisk(ctx, a.vdi, target));
}

function branch(ctx: Ctx, vdi: Ref<'VDI'>, kind: 'snapshot' | 'clone'): Promise<Ref<'VDI'>> {
  return onSr(ctx, ctx.db.get('VDI', vdi).SR, `vdi_${kind}`, async () => {
    if (kind === 'clone') return branchDisk(ctx, vdi, kind);
    await using unwind = new Unwind();
    const { made: taken } = await snapshotLive(ctx, [vdi], unwind);
    const made = taken.get(vdi) ?? (await branchDisk(ctx, vdi, kind));
    unwind.keep();
    return made;
  });
}

/** Names are kept on the medium too, so that they survive `forget`; drivers that cannot do that keep them here only. */
async function rename(ctx: Ctx, self: Ref<'VDI'>, names: { name?: string; description?: string }): Promise<void> {
  const { SR, uuid: vdi } = ctx.db.get('VDI', self);
  const sr = usableSr(ctx, SR);
  await ask(ctx, async (call) => {
    if (sr.type === unmanaged) return;
    try {
      await ctx.storage.vdi.rename({ sr: sr.uuid, vdi, ...names }, call);
    } catch (error) {
      if (!isKind(error, 'Not_supported')) throw error;
    }
  });
  ctx.db.set('VDI', self, { name_label: names.name, name_description: names.description });
}

export const vdi: ClassHandlers<typeof VDI> = {
  ...vdiIntroduce,
  ...vdiCbt,
  ...vdiMigrate,
  create: (ctx, a) => create(ctx, a.args),
  destroy: (ctx, a) => destroy(ctx, a.self),
  resize: (ctx, a) => resize(ctx, a.vdi, a.size),
  snapshot: (ctx, a) => branch(ctx, a.vdi, 'snapshot'),
  clone: (ctx, a) => branch(ctx, a.vdi, 'clone'),
  copy,
  async update(ctx, a) {
    const { SR, name_label: name, name_description: description } = ctx.db.get('VDI', a.vdi);
    if (usableSr(ctx, SR).type === unmanaged) throw fail('SR_OPERATION_NOT_SUPPORTED', { sr: SR });
    await rename(ctx, a.vdi, { name, description });
    await refreshDisk(ctx, a.vdi);
  },
  set_name_label: (ctx, a) => rename(ctx, a.self, { name: a.value }),
  set_name_description: (ctx, a) => rename(ctx, a.self, { description: a.value }),
};
