/** How fast a drive may be: QEMU's own throttling, of bytes and of requests. */
import { type VbdSpec, xenopsErrors } from '../../../contracts/xenops.ts';
import { driveDevice } from './devices.ts';
import type { Domain } from './domain.ts';
import type { Drive } from './record.ts';

/** Per second; 0 for no limit. Both directions together, or each of its own. */
export interface Throttle {
  readonly bps: number;
  readonly bps_rd: number;
  readonly bps_wr: number;
  readonly iops: number;
  readonly iops_rd: number;
  readonly iops_wr: number;
}
const none: Throttle = { bps: 0, bps_rd: 0, bps_wr: 0, iops: 0, iops_rd: 0, iops_wr: 0 };
const keys = Object.keys(none) as (keyof Throttle)[];
/** QEMU's own bound. */
const most = 1e15;

/** What a drive's `qos` says: QEMU's names, and `kbps` in KiB/s as interfaces have it. Bad_spec names the key. */
export function throttleOf({ id, qos = {} }: Pick<VbdSpec, 'id' | 'qos'>): Throttle {
  const bad = (key: string, value: string, reason: string) =>
    xenopsErrors.make('Bad_spec', { key: `qos_algorithm_params:${key}`, value, reason: `${reason} (drive ${id})` });
  const limits = { ...none };
  for (const [key, value] of Object.entries(qos)) {
    const name = key === 'kbps' ? 'bps' : keys.find((known) => known === key);
    if (!name) throw bad(key, value, `this limit is not known; there are kbps, ${keys.join(', ')}`);
    const limit = Number(value) * (key === 'kbps' ? 1024 : 1);
    if (!/^\d+$/.test(value) || limit > most) throw bad(key, value, `a whole number from 0 to ${most} is expected`);
    if (key === 'kbps' && qos['bps'] !== undefined) throw bad(key, value, 'bps is given too');
    limits[name] = limit;
  }
  for (const what of ['bps', 'iops'] as const)
    if (limits[what] > 0 && (limits[`${what}_rd`] > 0 || limits[`${what}_wr`] > 0))
      throw bad(
        what,
        String(limits[what]),
        `it limits both directions together; leave it out beside ${what}_rd and ${what}_wr`,
      );
  return limits;
}
export function throttled(drive: Drive): boolean {
  const limits = throttleOf(drive.spec);
  return keys.some((key) => limits[key] > 0);
}

/** Drives that are not as fast as they can be. */
export const throttledDrives = (domain: Domain): readonly Drive[] =>
  domain.record.drives.filter((drive) => drive.disk !== null && !drive.cut && throttled(drive));

/** Tells QEMU the limits of a drive that it has. An empty drive is told when a disc comes. */
export async function tellThrottle(domain: Domain, drive: Drive): Promise<void> {
  if (drive.disk === null || drive.cut) return;
  // A virtio disk on PCI is the card; what has the medium is a device in it.
  const { driver } = driveDevice(domain.record.machine, drive);
  const id = driver === 'virtio-blk-pci' ? `/machine/peripheral/${drive.device}/virtio-backend` : drive.device;
  await domain.execute('block_set_io_throttle', { id, ...throttleOf(drive.spec) });
}
export async function setThrottles(domain: Domain): Promise<void> {
  for (const drive of throttledDrives(domain)) await tellThrottle(domain, drive);
}
/** Other limits for a drive that is plugged. */
export async function changeThrottle(domain: Domain, id: string, qos: VbdSpec['qos']): Promise<void> {
  const drive = domain.record.drives.find((d) => d.spec.id === id && !d.cut);
  if (!drive) throw xenopsErrors.make('Device_not_connected', { id });
  const { qos: _, ...rest } = drive.spec;
  const next: Drive = { ...drive, spec: qos === undefined ? rest : { ...rest, qos } };
  throttleOf(next.spec);
  if (domain.built && domain.power !== 'ended') await tellThrottle(domain, next);
  await domain.update({ drives: domain.record.drives.map((d) => (d.spec.id === id ? next : d)) });
}
