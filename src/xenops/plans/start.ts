import type { VmSpec } from '../../contracts/xenops.ts';
import { op, type Plan, seq } from '../plan.ts';
import { attachAll } from './devices.ts';

/** Halted → Running, or Paused. */
export function startPlan(spec: VmSpec, a: { readonly domid: number; readonly paused: boolean }): Plan {
  return seq(
    // Before there is a domain: the disk is read while nobody else has it.
    ...(spec.boot.kind === 'bootloader' ? [op('VM.loadKernel', { spec })] : []),
    op('VM.create', { spec, domid: a.domid }),
    attachAll(spec),
    op('VM.build', { spec }),
    ...(a.paused ? [] : [op('VM.unpause', { vm: spec.id })]),
  );
}
