/** Operations on a disk show on its repository too: `vdi_create` there while a disk is made. */
import type { Ref } from '../../datamodel/dsl.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { Working } from '../context.ts';
import { holding } from '../operations.ts';

export type SrOperation = Rec<'SR'>['allowed_operations'][number];
export type VdiOperation = Rec<'VDI'>['allowed_operations'][number];

/** Runs `work` with `op` in the repository's `current_operations`; refused when the lifecycle table says so. */
export const onSr = <T>(ctx: Working, ref: Ref<'SR'>, op: SrOperation, work: () => Promise<T>): Promise<T> =>
  holding(ctx.db, { cls: 'SR', ref, op, task: ctx.task.ref }, work);

/** The same for a disk, for messages whose declaration names no operation. */
export const onVdi = <T>(ctx: Working, ref: Ref<'VDI'>, op: VdiOperation, work: () => Promise<T>): Promise<T> =>
  holding(ctx.db, { cls: 'VDI', ref, op, task: ctx.task.ref }, work);
