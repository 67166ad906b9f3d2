import type { VmSpec } from '../../contracts/xenops.ts';
import { bestEffort, op, type Plan, seq } from '../plan.ts';
import { closeAll } from './devices.ts';

/** → Halted. `spec` is what runs. With a timeout (seconds) the guest is asked first; null: at once. */
export function shutdownPlan(spec: VmSpec, a: { readonly timeoutS: number | null }): Plan {
  const vm = spec.id;
  return seq(
    askToEnd(vm, 'poweroff', a.timeoutS),
    op('VM.destroy', { vm }),
    closeAll(spec),
    ...(spec.boot.kind === 'bootloader' ? [bestEffort(op('VM.dropKernel', { vm }))] : []),
  );
}
/** The guest is asked to end, and waited for. */
export function askToEnd(vm: string, what: 'poweroff' | 'reboot', timeoutS: number | null): Plan {
  if (timeoutS === null) return seq();
  return seq(op('VM.requestShutdown', { vm, what }), op('VM.awaitEnd', { vm, what, timeoutS }));
}
