/** Snapshots of disks that a guest of this host writes to: the domain manager takes those of one VM at one moment. */
import type { Unwind } from '../../base/unwind.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { ask } from '../ask.ts';
import type { Ctx } from '../context.ts';
import { addBranch, branchArgs, destroyDisk } from './vdi-work.ts';

/** The VM whose guest writes to the disk. */
export function writerOf(ctx: Ctx, vdi: Ref<'VDI'>): Ref<'VM'> | undefined {
  const drives = ctx.db.get('VDI', vdi).VBDs.map((ref) => ctx.db.get('VBD', ref));
  const lives = (vm: string) => ['Running', 'Paused'].includes(ctx.db.find('VM', vm)?.power_state ?? '');
  return drives.find((vbd) => vbd.currently_attached && vbd.mode === 'RW' && lives(vbd.VM))?.VM;
}
/** Whether a guest's agent is to hold its filesystems still at the moment of the snapshot. */
export type Quiesce = 'try' | 'must';
interface Taken {
  /** Disk → snapshot. */
  readonly made: Map<string, Ref<'VDI'>>;
  /** The filesystems of all guests that write to the disks stood still. */
  readonly quiesced: boolean;
}
/** Takes snapshots of those of the disks that guests write to, and records them. */
export async function snapshotLive(
  ctx: Ctx,
  disks: readonly Ref<'VDI'>[],
  unwind: Unwind,
  quiesce: Quiesce = 'try',
): Promise<Taken> {
  const made = new Map<string, Ref<'VDI'>>();
  let quiesced = true;
  const byWriter = Map.groupBy(disks, (vdi) => writerOf(ctx, vdi));
  for (const [vm, written] of byWriter) {
    if (vm === undefined) continue;
    const { uuid: id } = ctx.db.get('VM', vm);
    const wanted = written.map((vdi) => ({ vdi, args: branchArgs(ctx, vdi) }));
    const what = { id, disks: wanted.map(({ args }) => args), quiesce };
    const done = await ask(ctx, (call) => ctx.xenops.vm.snapshotDisks(what, call));
    quiesced &&= done.quiesced;
    for (const { args } of wanted) unwind.add(() => ctx.storage.vdi.destroy({ sr: args.sr, vdi: args.to }));
    for (const { vdi, args } of wanted) {
      const info = await ask(ctx, (call) => ctx.storage.vdi.stat({ sr: args.sr, vdi: args.to }, call));
      const snapshot = await addBranch(ctx, vdi, info, 'snapshot');
      unwind.add(() => destroyDisk(ctx, snapshot));
      made.set(vdi, snapshot);
    }
  }
  return { made, quiesced: quiesced && made.size > 0 };
}
