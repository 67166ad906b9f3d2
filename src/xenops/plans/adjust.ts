/** One-step plans: they go through the interpreter for its deadline and cancelling. */
import { op, type Plan } from '../plan.ts';

export const pausePlan = (vm: string): Plan => op('VM.pause', { vm });
export const unpausePlan = (vm: string): Plan => op('VM.unpause', { vm });
export const vcpusPlan = (vm: string, a: { readonly count: number; readonly was: number }): Plan =>
  op('VM.setVcpus', { vm, ...a });
export const memoryPlan = (vm: string, a: { readonly bytes: number; readonly was: number }): Plan =>
  op('VM.setMemoryTarget', { vm, ...a });
export const keysPlan = (vm: string, a: { readonly kind: 'sysrq' | 'trigger'; readonly value: string }): Plan =>
  op('VM.sendKeys', { vm, ...a });
