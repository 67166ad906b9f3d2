import type { Media, VmSpec } from '../../contracts/xenops.ts';
import { op, type Plan, seq } from '../plan.ts';
import { attachAll } from './devices.ts';

/** Suspended → Running, or Paused. The image is given up before the guest goes on: it must never be resumed twice. */
export function resumePlan(
  spec: VmSpec,
  a: { readonly domid: number; readonly image: Media; readonly paused: boolean },
): Plan {
  const vm = spec.id;
  return seq(
    op('VM.create', { spec, domid: a.domid }),
    attachAll(spec),
    op('VM.restore', { spec, image: a.image }),
    op('VM.dropSuspended', { vm, image: a.image }),
    ...(a.paused ? [] : [op('VM.unpause', { vm })]),
  );
}
