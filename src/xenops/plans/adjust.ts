/** One-step plans: they go through the interpreter for its deadline and cancelling. */
import type { VbdSpec, VifSpec } from '../../contracts/xenops.ts';
import { op, type Plan, par } from '../plan.ts';

export const pausePlan = (vm: string): Plan => op('VM.pause', { vm });
export const unpausePlan = (vm: string): Plan => op('VM.unpause', { vm });
export const vcpusPlan = (vm: string, a: { readonly count: number; readonly was: number }): Plan =>
  op('VM.setVcpus', { vm, ...a });
export const memoryPlan = (vm: string, a: { readonly bytes: number; readonly was: number }): Plan =>
  op('VM.setMemoryTarget', { vm, ...a });
/** What a running guest gets of a changed description at once: its name and rate on the network, the limits of its drives. */
export const followPlan = (
  vm: string,
  a: { readonly vifs: readonly VifSpec[]; readonly vbds: readonly VbdSpec[] },
): Plan =>
  par(...a.vifs.map((vif) => op('VIF.retell', { vm, vif })), ...a.vbds.map((vbd) => op('VBD.limit', { vm, vbd })));
export const keysPlan = (vm: string, a: { readonly kind: 'sysrq' | 'trigger'; readonly value: string }): Plan =>
  op('VM.sendKeys', { vm, ...a });
export const sleepPlan = (vm: string): Plan => op('VM.sleep', { vm });
export const wakePlan = (vm: string): Plan => op('VM.wake', { vm });
export const shadowPlan = (vm: string, a: { readonly multiplier: number; readonly was: number }): Plan =>
  op('VM.setShadow', { vm, ...a });
