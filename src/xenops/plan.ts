/** A plan is plain data: steps in order, steps at once, steps whose failure is only logged. `run.ts` carries it out. */
import { type ArgsOf, type AtomicName, textOf } from './atomics.ts';

export type Step = { [N in AtomicName]: { readonly op: N; readonly args: ArgsOf<N> } }[AtomicName];
export type Plan =
  | { readonly seq: readonly Plan[] }
  | { readonly par: readonly Plan[] }
  /** Every step in it is tried; what fails is logged, and left to reconciling. */
  | { readonly bestEffort: Plan }
  | Step;

export const seq = (...plans: readonly Plan[]): Plan => ({ seq: plans });
export const par = (...plans: readonly Plan[]): Plan => ({ par: plans });
export const bestEffort = (plan: Plan): Plan => ({ bestEffort: plan });
// The pair of a name and its own arguments is what `Step` lists; the compiler does not see that for a generic name.
export const op = <N extends AtomicName>(name: N, args: ArgsOf<N>): Plan => ({ op: name, args }) as unknown as Plan;

/** Every step of a plan, in the order of writing. */
export function stepsOf(plan: Plan): readonly Step[] {
  if ('seq' in plan) return plan.seq.flatMap(stepsOf);
  if ('par' in plan) return plan.par.flatMap(stepsOf);
  if ('bestEffort' in plan) return stepsOf(plan.bestEffort);
  return [plan];
}

/** A plan for people to read: one step a line, groups indented. */
export function planText(plan: Plan, indent = ''): string {
  const inner = (plans: readonly Plan[]) => plans.map((p) => planText(p, `${indent}  `)).join('');
  if ('seq' in plan) return plan.seq.map((p) => planText(p, indent)).join('');
  if ('par' in plan) return plan.par.length === 0 ? '' : `${indent}at once\n${inner(plan.par)}`;
  if ('bestEffort' in plan) {
    const text = planText(plan.bestEffort, `${indent}  `);
    return text === '' ? '' : `${indent}best effort\n${text}`;
  }
  return `${indent}${plan.op}${textOf(plan.op, plan.args)}\n`;
}
