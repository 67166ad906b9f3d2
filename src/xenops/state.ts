/** What callers see of a VM, computed from its record and from what was last seen of its domain. */
import type { PowerState, VbdSpec, VmState } from '../contracts/xenops.ts';
import type { VmRecord } from './record.ts';

/** The power state that follows from record and domain, once no operation is under way. */
export function powerOf(r: VmRecord): PowerState {
  if (!r.run) return r.suspended ? 'Suspended' : 'Halted';
  // Given away, and it is not known yet to whom it went: it stands still here.
  if (r.run.preserved || r.leaving?.given) return 'Paused';
  if (r.live?.power === 'paused') return 'Paused';
  if (r.live?.power === 'running') return 'Running';
  // The guest has just ended: what happens now is queued, and until then it counts as running.
  return 'Running';
}

export function stateOf(r: VmRecord, addresses: (mac: string) => readonly string[]): VmState {
  const live = r.run ? r.live : undefined;
  const spec = r.run?.spec ?? r.suspended?.spec ?? r.spec;
  return {
    power: r.power,
    domid: r.run && live ? live.domid : -1,
    startedAt: r.startedAt,
    memoryTarget: live?.memoryTarget ?? 0,
    memoryActual: live?.memoryActual ?? 0,
    vcpus: live?.vcpus ?? spec.vcpus.current,
    consoles: live?.consoles ?? [],
    vbds: drives(r),
    vifs: interfaces(r, addresses),
    suspendImage: r.run ? null : (r.suspended?.image ?? null),
    lastEnd: r.lastEnd,
    timeOffsetS: live?.timeOffsetS ?? null,
    guest: live?.guest ?? null,
    accelerator: live?.accelerator ?? '',
  };
}

function drives(r: VmRecord): VmState['vbds'] {
  const seen: Record<string, { plugged: boolean; media: VbdSpec['media'] }> = {};
  for (const vbd of r.spec.vbds) seen[vbd.id] = { plugged: false, media: vbd.media };
  if (!r.run || !r.live) return seen;
  const running = new Map(r.run.spec.vbds.map((vbd) => [vbd.id, vbd]));
  for (const id of r.live.vbds) {
    const media = r.live.discs?.[id] === false ? null : (running.get(id)?.media ?? null);
    seen[id] = { plugged: true, media };
  }
  return seen;
}
function interfaces(r: VmRecord, addresses: (mac: string) => readonly string[]): VmState['vifs'] {
  const seen: Record<string, { plugged: boolean; addresses: readonly string[] }> = {};
  for (const vif of r.spec.vifs) seen[vif.id] = { plugged: false, addresses: [] };
  if (!r.run || !r.live) return seen;
  const running = new Map(r.run.spec.vifs.map((vif) => [vif.id, vif]));
  for (const id of r.live.vifs) {
    const mac = running.get(id)?.mac ?? '';
    const told = r.live.guest?.addresses[mac.toLowerCase()] ?? [];
    seen[id] = { plugged: true, addresses: [...new Set([...told, ...addresses(mac)])] };
  }
  return seen;
}
