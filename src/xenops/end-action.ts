/** What follows when a guest ends by itself: pure. */
import type { VmSpec } from '../contracts/xenops.ts';
import type { DomainEnd } from './backend.ts';
import type { RestartLimits } from './core.ts';

export type EndAction =
  | { readonly action: 'destroy'; readonly because?: string }
  | { readonly action: 'restart'; readonly delayS: number }
  | { readonly action: 'preserve' };

/** `ranS`: how many seconds the guest ran. */
export function endAction(
  spec: Pick<VmSpec, 'onPoweroff' | 'onReboot' | 'onCrash'>,
  end: DomainEnd,
  ranS: number,
  limits: RestartLimits,
): EndAction {
  const ordered = end.reason === 'poweroff' || end.reason === 'reboot';
  const wanted = ordered ? spec[end.reason === 'poweroff' ? 'onPoweroff' : 'onReboot'] : spec.onCrash;
  if (wanted === 'destroy') return { action: 'destroy' };
  if (wanted === 'preserve') {
    // Of a killed one nothing is left, and a hung one would hold on to its disks.
    const gone = end.reason === 'killed' || end.reason === 'hung';
    return gone ? { action: 'destroy', because: `a ${end.reason} domain cannot be preserved` } : { action: 'preserve' };
  }
  if (!ordered && ranS < limits.crashWindowS) {
    const because = `not started again, as it ended within ${limits.crashWindowS} s of its start`;
    return { action: 'destroy', because };
  }
  return { action: 'restart', delayS: ordered && ranS < limits.rebootWindowS ? limits.rebootDelayS : 0 };
}
