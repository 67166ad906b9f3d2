/** `VM_guest_metrics`: what the agent in a running guest says, and the addresses that its network has given it. */
import type { GuestReport } from '../contracts/guest.ts';
import type { VmState } from '../contracts/xenops.ts';
import { nullRef, type Ref } from '../datamodel/dsl.ts';
import type { Db, Patch, Writer } from '../db/db.ts';
import { wireTime } from './wire-time.ts';

type Fields = Patch<'VM_guest_metrics'>;

/** The record is there while the VM lives and something is known; `now`: milliseconds since the epoch. */
export function applyGuestMetrics(db: Db, w: Writer, ref: Ref<'VM'>, state: VmState, now: number): void {
  const vm = db.get('VM', ref);
  const lives = state.power === 'Running' || state.power === 'Paused';
  const there = db.find('VM_guest_metrics', vm.guest_metrics);
  if (!lives) {
    if (vm.guest_metrics === nullRef) return;
    w.destroy('VM_guest_metrics', vm.guest_metrics);
    w.set('VM', ref, { guest_metrics: nullRef });
    return;
  }
  const networks = networksOf(db, vm.VIFs, state);
  if (Object.keys(networks).length === 0 && !state.guest && !there) return;
  const seen: Fields = { ...saidBy(state.guest), networks, live: true };
  if (there && Object.entries(seen).every(([name, value]) => same(there[name as keyof Fields], value))) return;
  const fields = { ...seen, last_updated: wireTime(now) };
  if (there) w.set('VM_guest_metrics', vm.guest_metrics, fields);
  else w.set('VM', ref, { guest_metrics: w.create('VM_guest_metrics', fields) });
}
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** `0/ip`, `0/ipv4/0`, `0/ipv6/0`, … by the interface's number. */
function networksOf(db: Db, vifs: readonly Ref<'VIF'>[], state: VmState): Record<string, string> {
  const networks: Record<string, string> = {};
  for (const r of vifs) {
    const vif = db.get('VIF', r);
    const addresses = state.vifs[vif.uuid]?.addresses ?? [];
    for (const family of ['ipv4', 'ipv6'] as const) {
      const own = addresses.filter((address) => address.includes(':') === (family === 'ipv6'));
      for (const [i, address] of own.entries()) networks[`${vif.device}/${family}/${i}`] = address;
      if (family === 'ipv4' && own[0] !== undefined) networks[`${vif.device}/ip`] = own[0];
    }
  }
  return networks;
}
/** Memory and disks in bytes; disks as `0/mount`, `0/device`, `0/type`, `0/total`, `0/used`. */
function saidBy(guest: GuestReport | null): Fields {
  const [major = '', minor = '', micro = ''] = guest?.version.split('.') ?? [];
  const version: Record<string, string> = guest && guest.version !== '' ? { major, minor, micro } : {};
  const disks: Record<string, string> = {};
  for (const [i, disk] of (guest?.disks ?? []).entries())
    for (const [name, value] of Object.entries(disk))
      if (value !== null && value !== '') disks[`${i}/${name}`] = String(value);
  return {
    os_version: guest?.os ?? {},
    netbios_name: guest && guest.hostName !== '' ? { host_name: guest.hostName } : {},
    PV_drivers_version: version,
    PV_drivers_detected: guest !== null,
    PV_drivers_up_to_date: guest !== null,
    memory: guest?.memory ? { total: String(guest.memory.total), free: String(guest.memory.free) } : {},
    disks,
    other: guest
      ? { agent: guest.agent, ...Object.fromEntries(guest.can.map((what) => [`feature-${what}`, '1'])) }
      : {},
  };
}
