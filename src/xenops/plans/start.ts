import type { VmSpec } from '../../contracts/xenops.ts';
import { op, type Plan, seq } from '../plan.ts';
import { attachAll } from './devices.ts';

/** Halted → Running, or Paused. */
export function startPlan(spec: VmSpec, a: { readonly domid: number; readonly paused: boolean }): Plan {
  return seq(createPlan(spec, a), buildPlan(spec), ...(a.paused ? [] : [op('VM.unpause', { vm: spec.id })]));
}
/** A domain without devices, in which nothing is built yet. */
export function createPlan(spec: VmSpec, { domid }: { readonly domid: number }): Plan {
  // Before there is a domain: the disk is read while nobody else has it.
  const loader = spec.boot.kind === 'bootloader' ? [op('VM.loadKernel', { spec })] : [];
  return seq(...loader, op('VM.create', { spec, domid }));
}
/** Its devices, then its guest. */
export function buildPlan(spec: VmSpec): Plan {
  return seq(attachAll(spec), op('VM.build', { spec }));
}
