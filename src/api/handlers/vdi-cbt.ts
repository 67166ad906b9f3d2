/**
 * VDI: what changed between two moments of a disk, and reading it from elsewhere.
 *
 * A snapshot whose data were destroyed is known by what differs from it to the next snapshot. While there is no next one its content
 * is still needed: it stays, out of reach, until one has been taken and asked about.
 */
import type { VDI } from '../../datamodel/classes/vdi.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import { ask } from '../ask.ts';
import type { Ctx, SomeHandlers } from '../context.ts';
import { timeOf } from '../decode.ts';
import { refreshAllowed } from '../guards.ts';
import { refreshSizes, usableSr } from './vdi-work.ts';

/** In `sm_config` of a disk without data whose content is still needed. */
const waiting = 'cbt-content';

/** Snapshots of the same disk that are tracked, the oldest first. */
function snapshotsOf(ctx: Ctx, of: string): readonly (readonly [Ref<'VDI'>, Rec<'VDI'>])[] {
  const all = [...ctx.db.rows('VDI')].filter(([, v]) => v.is_a_snapshot && v.snapshot_of === of && v.cbt_enabled);
  return all.sort(([, a], [, b]) => timeOf(a.snapshot_time) - timeOf(b.snapshot_time));
}
/** Gives up the content of snapshots that a later one was compared with. */
async function settle(ctx: Ctx, of: string): Promise<void> {
  const all = snapshotsOf(ctx, of);
  for (const [i, [ref, vdi]] of all.entries()) {
    const next = all[i + 1]?.[1];
    if (!(waiting in vdi.sm_config) || !next) continue;
    const sr = usableSr(ctx, vdi.SR).uuid;
    await ask(ctx, async (call) => {
      await ctx.storage.changes.note({ sr, from: vdi.uuid, to: next.uuid }, call);
      await ctx.storage.vdi.destroy({ sr, vdi: vdi.uuid }, call);
    });
    const { [waiting]: _, ...sm_config } = vdi.sm_config;
    ctx.db.set('VDI', ref, { sm_config, physical_utilisation: 0 });
    await refreshSizes(ctx, vdi.SR);
  }
}

async function dataDestroy(ctx: Ctx, self: Ref<'VDI'>): Promise<void> {
  const vdi = ctx.db.get('VDI', self);
  if (vdi.type === 'cbt_metadata') return;
  if (!vdi.is_a_snapshot)
    throw fail('OPERATION_NOT_ALLOWED', { reason: 'Only the data of snapshots can be destroyed' });
  if (!vdi.cbt_enabled) throw fail('VDI_NO_CBT_METADATA', { vdi: self });
  if (vdi.VBDs.some((r) => ctx.db.get('VBD', r).currently_attached))
    throw fail('VDI_IN_USE', { vdi: self, operation: 'data_destroy' });
  ctx.db.write((w) => {
    for (const r of vdi.VBDs) w.destroy('VBD', r);
    w.set('VDI', self, { type: 'cbt_metadata', sm_config: { ...vdi.sm_config, [waiting]: 'kept' } });
    refreshAllowed(ctx.db, w, 'VDI', self);
  });
  await settle(ctx, vdi.snapshot_of);
}

async function changedBlocks(ctx: Ctx, from: Ref<'VDI'>, to: Ref<'VDI'>): Promise<string> {
  const [a, b] = [ctx.db.get('VDI', from), ctx.db.get('VDI', to)];
  for (const [ref, v] of [
    [from, a],
    [to, b],
  ] as const)
    if (!v.cbt_enabled) throw fail('VDI_NO_CBT_METADATA', { vdi: ref });
  if (a.SR !== b.SR) throw fail('OPERATION_NOT_ALLOWED', { reason: 'The two disks are in different repositories' });
  await settle(ctx, a.snapshot_of);
  const sr = usableSr(ctx, a.SR).uuid;
  const { bitmap } = await ask(ctx, (call) => ctx.storage.changes.between({ sr, from: a.uuid, to: b.uuid }, call));
  return bitmap;
}

function setCbt(ctx: Ctx, self: Ref<'VDI'>, cbt_enabled: boolean): void {
  const vdi = ctx.db.get('VDI', self);
  usableSr(ctx, vdi.SR);
  if (vdi.is_a_snapshot) throw fail('OPERATION_NOT_ALLOWED', { reason: 'A snapshot is tracked as its disk was' });
  if (vdi.type === 'cbt_metadata' || ctx.db.get('SR', vdi.SR).content_type === 'iso')
    throw fail('VDI_INCOMPATIBLE_TYPE', { vdi: self, type: vdi.type });
  if (vdi.on_boot === 'reset') throw fail('VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION', {});
  ctx.db.set('VDI', self, { cbt_enabled });
}

/** One row for each network that is meant for it and that this host is on. */
async function nbdInfo(ctx: Ctx, self: Ref<'VDI'>): Promise<readonly Record<string, unknown>[]> {
  const vdi = ctx.db.get('VDI', self);
  if (vdi.type === 'cbt_metadata') throw fail('VDI_INCOMPATIBLE_TYPE', { vdi: self, type: vdi.type });
  const networks = [...ctx.db.rows('network')].filter(([, n]) => n.purpose.includes('nbd'));
  if (networks.length === 0) return [];
  const listening = await ctx.server.nbd.listening();
  if (!listening) return [];
  const { address: own, hostname } = ctx.db.get('host', ctx.host);
  const addresses = networks.flatMap(([, n]) => n.PIFs.map((p) => ctx.db.get('PIF', p).IP).filter((ip) => ip !== ''));
  const exportname = `/${vdi.uuid}?session_id=${ctx.session.ref}`;
  return [...new Set(addresses.length > 0 ? addresses : [own])].map((address) => {
    return { exportname, address, port: listening.port, cert: listening.cert, subject: hostname };
  });
}

export const vdiCbt = {
  enable_cbt: (ctx, a) => setCbt(ctx, a.self, true),
  disable_cbt: (ctx, a) => setCbt(ctx, a.self, false),
  data_destroy: (ctx, a) => dataDestroy(ctx, a.self),
  list_changed_blocks: (ctx, a) => changedBlocks(ctx, a.vdi_from, a.vdi_to),
  get_nbd_info: (ctx, a) => nbdInfo(ctx, a.self),
} satisfies SomeHandlers<typeof VDI>;
