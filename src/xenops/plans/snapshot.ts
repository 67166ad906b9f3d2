import type { VmSpec } from '../../contracts/xenops.ts';
import { op, type Plan, par, seq } from '../plan.ts';
import type { DiskToFreeze } from '../record.ts';

/** Running → Running, with what its disks held at one moment in disks of their own; `quiesce`: its filesystems stand still then. */
export function snapshotPlan(spec: VmSpec, disks: readonly DiskToFreeze[], a: { readonly quiesce: boolean }): Plan {
  const vm = spec.id;
  return seq(
    par(...disks.map((disk) => op('VBD.freeze', { vm, disk }))),
    ...(a.quiesce ? [op('Guest.freeze', { vm })] : []),
    op('VM.pivot', { vm, disks }),
    ...(a.quiesce ? [op('Guest.thaw', { vm })] : []),
    par(...disks.map((disk) => op('VDI.snapshot', { disk }))),
  );
}
