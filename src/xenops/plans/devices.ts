/** The parts that several plans share: all devices of a VM attached, all closed. */
import type { VbdSpec, VifSpec, VmSpec } from '../../contracts/xenops.ts';
import { sameMedia } from '../media.ts';
import { bestEffort, op, type Plan, par } from '../plan.ts';

const byPosition = (a: { position: number }, b: { position: number }): number => a.position - b.position;
export const drivesOf = (spec: VmSpec): readonly VbdSpec[] => spec.vbds.toSorted(byPosition);
export const interfacesOf = (spec: VmSpec): readonly VifSpec[] => spec.vifs.toSorted(byPosition);

/**
 * Every drive and interface of the description, at once. `second`: to a domain of another name, `keepOpen` while the VM's own
 * uses the disks and ports too, `elsewhere` while a domain of another host uses the disks.
 */
export function attachAll(
  spec: VmSpec,
  second: { readonly domain?: string; readonly keepOpen?: boolean; readonly elsewhere?: boolean } = {},
): Plan {
  const vm = spec.id;
  return par(
    ...drivesOf(spec).map((vbd) => op('VBD.attach', { vm, vbd, ...second })),
    ...interfacesOf(spec).map((vif) => op('VIF.attach', { vm, vif, ...second })),
  );
}
/** What a domain that is gone had open: its disks and ports. `elsewhere`: its guest is another host's. */
export function closeAll(spec: VmSpec, elsewhere = false): Plan {
  const vm = spec.id;
  const disks = drivesOf(spec).filter((vbd, i, all) => {
    return isOpened(vbd) && all.findIndex((other) => sameMedia(other.media, vbd.media)) === i;
  });
  return bestEffort(
    par(
      ...disks.map((vbd) => op('VBD.close', { vm, vbd, elsewhere })),
      ...interfacesOf(spec).map((vif) => op('VIF.close', { vm, vif })),
    ),
  );
}
/** Whether what the drive holds is closed when it is done with: a path is used as it is. */
export const isOpened = ({ media }: VbdSpec): boolean => media !== null && media.kind !== 'path';
/** Whether the disk of a drive is in another drive of the VM too, so that it must stay open. */
export function sharesDisk(spec: VmSpec, vbd: VbdSpec): boolean {
  return vbd.media !== null && spec.vbds.some((other) => other.id !== vbd.id && sameMedia(other.media, vbd.media));
}
