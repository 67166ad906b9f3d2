/** VDI: a disk that no guest has open moves to another repository; its drives go with it. */
import { Unwind } from '../../base/unwind.ts';
import type { VDI } from '../../datamodel/classes/vdi.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import { ask } from '../ask.ts';
import type { Ctx, SomeHandlers } from '../context.ts';
import { refreshVm } from '../guards.ts';
import { onSr, onVdi } from './sr-hold.ts';
import { copyDisk, destroyDisk, usableSr } from './vdi-work.ts';

/** Points drives at another disk, and tells the domain manager. */
async function repoint(ctx: Ctx, from: Ref<'VDI'>, to: Ref<'VDI'>): Promise<void> {
  const { db } = ctx;
  const drives = db.get('VDI', from).VBDs;
  const vms = new Set(drives.map((r) => db.get('VBD', r).VM));
  db.write((w) => {
    for (const r of drives) w.set('VBD', r, { VDI: to });
    for (const [ref, row] of db.rows('VDI')) if (row.snapshot_of === from) w.set('VDI', ref, { snapshot_of: to });
    for (const vm of vms) refreshVm(db, w, vm);
  });
  for (const vm of vms) await ask(ctx, () => ctx.registrar.push(vm));
}

async function poolMigrate(
  ctx: Ctx,
  vdi: Ref<'VDI'>,
  sr: Ref<'SR'>,
  options: Readonly<Record<string, string>>,
): Promise<Ref<'VDI'>> {
  const record = ctx.db.get('VDI', vdi);
  usableSr(ctx, record.SR);
  usableSr(ctx, sr);
  const [unknown] = Object.entries(options);
  if (unknown)
    throw fail('VALUE_NOT_SUPPORTED', {
      field: `options:${unknown[0]}`,
      value: unknown[1],
      reason: 'A disk gets the format of its new repository',
    });
  if (sr === record.SR) return vdi;
  const open = record.VBDs.find((r) => ctx.db.get('VBD', r).currently_attached);
  if (open !== undefined)
    throw fail('OPERATION_NOT_ALLOWED', {
      reason: 'A running guest has the disk open: unplug it, or shut the guest down, and move it then',
    });
  if (record.is_a_snapshot || record.type === 'cbt_metadata')
    throw fail('VDI_INCOMPATIBLE_TYPE', { vdi, type: record.is_a_snapshot ? 'snapshot' : record.type });
  ctx.task.cancellable();
  return onVdi(ctx, vdi, 'mirror', async () => {
    await using unwind = new Unwind();
    const made = await onSr(ctx, sr, 'vdi_create', () => copyDisk(ctx, vdi, sr));
    unwind.add(() => destroyDisk(ctx, made));
    unwind.add(() => repoint(ctx, made, vdi));
    await repoint(ctx, vdi, made);
    unwind.keep();
    await onSr(ctx, record.SR, 'vdi_destroy', () => destroyDisk(ctx, vdi));
    return made;
  });
}

export const vdiMigrate = {
  pool_migrate: (ctx, a) => poolMigrate(ctx, a.vdi, a.sr, a.options),
} satisfies SomeHandlers<typeof VDI>;
