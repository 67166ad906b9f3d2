import type { VmSpec } from '../../contracts/xenops.ts';
import { op, type Plan, seq } from '../plan.ts';
import { closeAll } from './devices.ts';
import { askToEnd } from './shutdown.ts';
import { startPlan } from './start.ts';

/** Running → Running in a new domain, made from the description `next`; `running` is what runs now. */
export function rebootPlan(
  running: VmSpec,
  next: VmSpec,
  a: { readonly domid: number; readonly timeoutS: number | null },
): Plan {
  return seq(
    askToEnd(running.id, 'reboot', a.timeoutS),
    op('VM.destroy', { vm: running.id }),
    closeAll(running),
    startPlan(next, { domid: a.domid, paused: false }),
  );
}
