import type { VifSpec } from '../../contracts/xenops.ts';
import { bestEffort, op, type Plan, seq } from '../plan.ts';

/** An interface into a running VM. */
export function vifPlugPlan(vm: string, vif: VifSpec): Plan {
  return op('VIF.attach', { vm, vif });
}
/** An interface out of a running VM. */
export function vifUnplugPlan(vm: string, vif: VifSpec, a: { readonly force: boolean }): Plan {
  return seq(op('VIF.detach', { vm, vif, force: a.force }), bestEffort(op('VIF.close', { vm, vif })));
}
