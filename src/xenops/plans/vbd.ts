import type { Media, VbdSpec, VmSpec } from '../../contracts/xenops.ts';
import { bestEffort, op, type Plan, seq } from '../plan.ts';
import { isOpened, sharesDisk } from './devices.ts';

/** A drive into a running VM. `running` is what runs, without the drive. */
export function vbdPlugPlan(running: VmSpec, vbd: VbdSpec): Plan {
  return op('VBD.attach', { vm: running.id, vbd, ...(sharesDisk(running, vbd) ? { keepOpen: true } : {}) });
}
/** A drive out of a running VM; its disk is closed unless another drive has it. */
export function vbdUnplugPlan(running: VmSpec, vbd: VbdSpec, a: { readonly force: boolean }): Plan {
  const vm = running.id;
  return seq(op('VBD.detach', { vm, vbd, force: a.force }), closeDrive(running, vbd));
}
/** A disc into an empty drive. */
export function vbdInsertPlan(running: VmSpec, vbd: VbdSpec, a: { readonly media: Media }): Plan {
  const full = { ...vbd, media: a.media };
  return op('VBD.insert', { vm: running.id, vbd: full, ...(sharesDisk(running, full) ? { keepOpen: true } : {}) });
}
/** The disc out of a drive. */
export function vbdEjectPlan(running: VmSpec, vbd: VbdSpec): Plan {
  return seq(op('VBD.eject', { vm: running.id, vbd }), closeDrive(running, vbd));
}

function closeDrive(running: VmSpec, vbd: VbdSpec): Plan {
  if (!isOpened(vbd) || sharesDisk(running, vbd)) return seq();
  return bestEffort(op('VBD.close', { vm: running.id, vbd }));
}
