/** Operations on a disk show on its repository too: `vdi_create` there while a disk is made. */
import type { Ref } from '../../datamodel/dsl.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { Ctx } from '../context.ts';
import { guards, refreshAllowed } from '../guards.ts';

export type SrOperation = Rec<'SR'>['allowed_operations'][number];
export type VdiOperation = Rec<'VDI'>['allowed_operations'][number];

/** Runs `f` with `op` in the repository's `current_operations`; refused when the lifecycle table says so. */
export async function onSr<T>(ctx: Ctx, sr: Ref<'SR'>, op: SrOperation, f: () => Promise<T>): Promise<T> {
  return holding(ctx, 'SR', sr, op, f);
}

/** The same for a disk, for messages whose declaration names no operation. */
export async function onVdi<T>(ctx: Ctx, vdi: Ref<'VDI'>, op: VdiOperation, f: () => Promise<T>): Promise<T> {
  return holding(ctx, 'VDI', vdi, op, f);
}

async function holding<T>(ctx: Ctx, cls: 'SR' | 'VDI', ref: string, op: string, f: () => Promise<T>): Promise<T> {
  const refusal = guards[cls]?.check(ctx.db, ref, op);
  if (refusal) throw refusal;
  // Several operations of one call are told apart, so that the end of one does not end the other.
  const key = ctx.db.get(cls, ref).current_operations[ctx.task.ref] === undefined ? ctx.task.ref : ctx.ids.uuid();
  mark(ctx, cls, ref, (now) => ({ ...now, [key]: op }));
  try {
    return await f();
  } finally {
    mark(ctx, cls, ref, ({ [key]: _, ...rest }) => rest);
  }
}

type Operations = Readonly<Record<string, string>>;
function mark(ctx: Ctx, cls: 'SR' | 'VDI', ref: string, change: (now: Operations) => Operations): void {
  const now = ctx.db.find(cls, ref)?.current_operations;
  if (!now) return;
  ctx.db.write((w) => {
    w.set(cls, ref, { current_operations: change(now) } as never);
    refreshAllowed(ctx.db, w, cls, ref);
  });
}
