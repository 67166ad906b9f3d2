import type { VmSpec } from '../../contracts/xenops.ts';
import { op, type Plan, par, seq } from '../plan.ts';
import type { DiskToFreeze } from '../record.ts';

/** Running → Running, with what its disks held at one moment in disks of their own. */
export function snapshotPlan(spec: VmSpec, disks: readonly DiskToFreeze[]): Plan {
  const vm = spec.id;
  return seq(
    par(...disks.map((disk) => op('VBD.freeze', { vm, disk }))),
    op('VM.pivot', { vm, disks }),
    par(...disks.map((disk) => op('VDI.snapshot', { disk }))),
  );
}
