/** VM_appliance: groups of VMs that are started in growing `order` and stopped the other way round. */
import type { VM_appliance } from '../../datamodel/classes/vm-appliance.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { Ctx, SomeHandlers } from '../context.ts';

type Power = Rec<'VM'>['power_state'];
interface Step {
  readonly method: string;
  /** VMs in other states are left as they are. */
  readonly from: readonly Power[];
  readonly args: Readonly<Record<string, unknown>>;
  /** Milliseconds to wait after the VM, before VMs of the next order. */
  delayMs(vm: Rec<'VM'>): number;
  readonly backwards?: boolean;
}

/** One order after another, the VMs of one order at once. What failed is told when everything else is done. */
async function each(ctx: Ctx, self: Ref<'VM_appliance'>, step: Step): Promise<void> {
  const vms = ctx.db.get('VM_appliance', self).VMs.map((ref) => ({ ref, vm: ctx.db.get('VM', ref) }));
  const orders = [...new Set(vms.map(({ vm }) => vm.order))].sort((a, b) => (step.backwards ? b - a : a - b));
  const failed: unknown[] = [];
  for (const [i, order] of orders.entries()) {
    ctx.task.signal.throwIfAborted();
    const now = vms.filter(({ vm }) => vm.order === order && step.from.includes(vm.power_state));
    const ended = await Promise.allSettled(now.map(({ ref }) => ctx.call(step.method, { vm: ref, ...step.args })));
    failed.push(...ended.flatMap((e) => (e.status === 'rejected' ? [e.reason] : [])));
    const wait = Math.max(0, ...now.map(({ vm }) => step.delayMs(vm)));
    if (wait > 0 && i + 1 < orders.length) await ctx.clock.sleep(wait, ctx.task.signal);
    ctx.task.progress((i + 1) / orders.length);
  }
  if (failed.length > 0)
    throw fail('OPERATION_PARTIALLY_FAILED', { operation: `${step.method}: ${failed.map(String).join('; ')}` });
}

const stop = (method: string, from: readonly Power[]): Step => ({
  method,
  from,
  args: {},
  delayMs: (vm) => vm.shutdown_delay * 1000,
  backwards: true,
});

export const vmAppliance = {
  start: (ctx, a) =>
    each(ctx, a.self, {
      method: 'VM.start',
      from: ['Halted'],
      args: { start_paused: a.paused, force: false },
      delayMs: (vm) => vm.start_delay * 1000,
    }),
  clean_shutdown: (ctx, a) => each(ctx, a.self, stop('VM.clean_shutdown', ['Running'])),
  hard_shutdown: (ctx, a) => each(ctx, a.self, stop('VM.hard_shutdown', ['Running', 'Paused', 'Suspended'])),
  shutdown: (ctx, a) => each(ctx, a.self, stop('VM.shutdown', ['Running', 'Paused', 'Suspended'])),
} satisfies SomeHandlers<typeof VM_appliance>;
