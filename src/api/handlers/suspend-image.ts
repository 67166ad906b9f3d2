/** Where a suspended guest is kept: a VDI that is read only, which a VM may share with the checkpoints that it has. */
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import type { Ctx } from '../context.ts';
import { destroyDisk } from './vdi-work.ts';

/** The VM does not need the image any more; it is deleted unless another has it too. */
export async function dropSuspendImage(ctx: Ctx, vm: Ref<'VM'>, image: string): Promise<void> {
  ctx.db.set('VM', vm, { suspend_VDI: nullRef });
  if (!ctx.db.has('VDI', image)) return;
  // Only checkpoints share: a VM that neither is one nor has any need not look at all others.
  const { snapshots, is_a_snapshot } = ctx.db.get('VM', vm);
  if (snapshots.length > 0 || is_a_snapshot)
    for (const [, other] of ctx.db.rows('VM')) if (other.suspend_VDI === image) return;
  await destroyDisk(ctx, image as Ref<'VDI'>);
}
