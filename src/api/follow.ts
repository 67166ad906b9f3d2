/**
 * Numbers that change because guests run, kept true in the background: the free memory of the host after VMs come and go, and what
 * disks take on their medium once their VM has stopped.
 */
import { bestEffort } from '../base/best-effort.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Storage } from '../contracts/storage.ts';
import { nullRef, type Ref } from '../datamodel/dsl.ts';
import type { Db } from '../db/db.ts';
import { type MemoryParts, refreshHostMemory } from './host-memory.ts';

export interface FollowParts extends MemoryParts {
  readonly clock: Clock;
  readonly storage: Storage;
  readonly log: Log;
}
/** Events are gathered for this long, so that a thousand starts a second do not make a thousand more commits. Milliseconds. */
const gatherMs = 200;

/** Follows the domain manager; the answer stops it. */
export function startFollowing(parts: FollowParts): () => void {
  const { xenops, clock, log } = parts;
  /** VMs that were seen to run, by UUID. One that was never seen may have been running before. */
  const halted = new Set<string>();
  const stopped = new Set<string>();
  let pending: (() => void) | undefined;
  let running = Promise.resolve();
  const round = async () => {
    pending = undefined;
    const vms = [...stopped];
    stopped.clear();
    await bestEffort('the next event brings the memory of the host', log, () => refreshHostMemory(parts));
    for (const vm of vms) await refreshDisksOf(parts, vm);
  };
  const unwatch = xenops.watch(({ id, vm }) => {
    const lives = vm !== null && (vm.state.power === 'Running' || vm.state.power === 'Paused');
    if (lives) halted.delete(id);
    else if (vm === null) halted.delete(id);
    else if (!halted.has(id)) {
      halted.add(id);
      stopped.add(id);
    }
    pending ??= clock.after(gatherMs, () => {
      running = running.then(round);
    });
  });
  return () => {
    unwatch();
    pending?.();
  };
}

async function refreshDisksOf({ db, storage, log }: FollowParts, uuid: string): Promise<void> {
  const vm = db.findByUuid('VM', uuid);
  if (!vm) return;
  const srs = new Set<Ref<'SR'>>();
  for (const r of db.get('VM', vm).VBDs) {
    // Drives may go while their disks are looked at.
    const { mode, VDI = nullRef } = db.find('VBD', r) ?? {};
    const vdi = mode === 'RW' ? db.find('VDI', VDI) : undefined;
    const sr = vdi && usable(db, vdi.SR);
    if (!vdi?.managed || !sr) continue;
    await bestEffort('a scan brings the sizes', log, async () => {
      const info = await storage.vdi.stat({ sr, vdi: vdi.uuid });
      if (db.has('VDI', VDI)) db.set('VDI', VDI, { physical_utilisation: info.physicalUtilisation });
      srs.add(vdi.SR);
    });
  }
  for (const ref of srs) {
    const sr = usable(db, ref);
    if (sr === undefined) continue;
    await bestEffort('a scan brings the sizes', log, async () => {
      const { total, used } = await storage.sr.stat({ sr });
      if (db.has('SR', ref)) db.set('SR', ref, { physical_size: total, physical_utilisation: used });
    });
  }
}

/** The UUID of a repository that is attached here. */
function usable(db: Db, ref: string): string | undefined {
  const sr = db.find('SR', ref);
  return sr?.PBDs.some((p) => db.get('PBD', p).currently_attached) ? sr.uuid : undefined;
}
