/** Joins the lifecycle tables to the database: per class, why an operation may not start, and what may. */
import type { Refusal } from '../datamodel/errors.ts';
import type { ClassName, Rec } from '../datamodel/index.ts';
import {
  hostOperations,
  type Owner,
  refuseHost,
  refuseSr,
  refuseVbd,
  refuseVdi,
  refuseVif,
  type SrSurroundings,
  srOperations,
  type VdiSurroundings, // …
  vbdOperations,
  vdiOperations,
  vifOperations,
} from '../datamodel/lifecycle/devices.ts';
import { allowedVm, refuseVm, type VmOperation } from '../datamodel/lifecycle/vm.ts';
import type { Db, Reader, Writer } from '../db/db.ts';

export interface Guard {
  /** Why `op` may not start on the object now; undefined when it may. */
  check(db: Reader, ref: string, op: string): Refusal | undefined;
  /** The value of its `allowed_operations`. */
  allowed(db: Reader, ref: string): string[];
}

function ownerOf(db: Reader, vm: string): Owner {
  return { ref: vm, power: db.find('VM', vm)?.power_state ?? 'Halted' };
}
function aroundVdi(db: Reader, vdi: Rec<'VDI'>): VdiSurroundings {
  const attached = vdi.VBDs.filter((r) => db.find('VBD', r)?.currently_attached);
  const writer = attached.some((r) => db.get('VBD', r).mode === 'RW');
  return { attached, writer, contentType: db.find('SR', vdi.SR)?.content_type ?? '' };
}
function aroundSr(db: Reader, sr: Rec<'SR'>): SrSurroundings {
  const plugged = sr.PBDs.filter((r) => db.find('PBD', r)?.currently_attached).length;
  return { pbds: sr.PBDs.length, plugged, vdis: sr.VDIs.length };
}

const table = <O extends string>(
  ops: readonly O[],
  refuse: (op: O, db: Reader, ref: string) => Refusal | undefined,
): Guard => ({
  check: (db, ref, op) => refuse(op as O, db, ref),
  allowed: (db, ref) => ops.filter((op) => refuse(op, db, ref) === undefined),
});

export const guards: { readonly [C in ClassName]?: Guard } = {
  VM: {
    check: (db, ref, op) => refuseVm(op as VmOperation, db.get('VM', ref), ref),
    allowed: (db, ref) => allowedVm(db.get('VM', ref), ref),
  },
  VBD: table(vbdOperations, (op, db, ref) => {
    const vbd = db.get('VBD', ref);
    return refuseVbd(op, vbd, ref, ownerOf(db, vbd.VM));
  }),
  VIF: table(vifOperations, (op, db, ref) => {
    const vif = db.get('VIF', ref);
    return refuseVif(op, vif, ref, ownerOf(db, vif.VM));
  }),
  VDI: table(vdiOperations, (op, db, ref) => {
    const vdi = db.get('VDI', ref);
    return refuseVdi(op, vdi, ref, aroundVdi(db, vdi));
  }),
  SR: table(srOperations, (op, db, ref) => {
    const sr = db.get('SR', ref);
    return refuseSr(op, sr, ref, aroundSr(db, sr));
  }),
  host: table(hostOperations, (op, db, ref) => {
    const host = db.get('host', ref);
    const live = db.find('host_metrics', host.metrics)?.live ?? false;
    return refuseHost(op, { enabled: host.enabled, live, current: host.current_operations }, ref);
  }),
};

/** Recomputes `allowed_operations` of an object; nothing is written when it comes out the same. */
export function refreshAllowed(db: Db, w: Writer, cls: ClassName, ref: string): void {
  const guard = guards[cls];
  if (!guard || !db.has(cls, ref)) return;
  w.set(cls, ref, { allowed_operations: guard.allowed(db, ref) } as never);
}

/** The same for a VM, its devices and their disks: what a change of its power state touches. */
export function refreshVm(db: Db, w: Writer, vm: string): void {
  const record = db.find('VM', vm);
  if (!record) return;
  for (const vbd of record.VBDs) {
    refreshAllowed(db, w, 'VBD', vbd);
    refreshAllowed(db, w, 'VDI', db.get('VBD', vbd).VDI);
  }
  for (const vif of record.VIFs) refreshAllowed(db, w, 'VIF', vif);
  refreshAllowed(db, w, 'VM', vm);
}
