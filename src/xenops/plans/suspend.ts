import type { Media, VmSpec } from '../../contracts/xenops.ts';
import { op, type Plan, seq } from '../plan.ts';
import { closeAll } from './devices.ts';

/** Running → Suspended: the image is noted durably before the domain goes, so that a guest is never lost in between. */
export function suspendPlan(spec: VmSpec, a: { readonly image: Media }): Plan {
  const vm = spec.id;
  return seq(
    op('VM.save', { vm, image: a.image }),
    op('VM.noteSuspended', { vm, image: a.image }),
    op('VM.destroy', { vm }),
    closeAll(spec),
  );
}
