/**
 * What a guest of another pool may use here. Its sender was let in, not made root: only disks of repositories, only kernels that a
 * VM of this pool could have, only bridges of networks.
 */
import { type VmSpec, xenopsErrors } from '../contracts/xenops.ts';
import type { Db } from '../db/db.ts';

/** Failed_to_migrate. */
export function checkArrival(o: { readonly db: Db; readonly kernelDirs: readonly string[] }, spec: VmSpec): void {
  const refuse = (reason: string) => xenopsErrors.make('Failed_to_migrate', { vm: spec.id, reason });
  for (const { media } of spec.vbds) {
    // Files in the description are no files of this host.
    if (media === null || media.kind === 'files') continue;
    if (media.kind !== 'vdi')
      throw refuse(`${media.path} is in no repository; only disks of shared repositories can go along`);
    const vdi = o.db.findByUuid('VDI', media.vdi);
    if (!vdi || o.db.get('SR', o.db.get('VDI', vdi).SR).uuid !== media.sr)
      throw refuse(`this host does not see the disk ${media.vdi}`);
  }
  const bridges = new Set([...o.db.rows('network')].map(([, network]) => network.bridge));
  for (const { bridge } of spec.vifs)
    if (!bridges.has(bridge)) throw refuse(`no network here has the bridge ${bridge}`);
  if (spec.boot.kind !== 'kernel') return;
  for (const path of [spec.boot.kernel, spec.boot.ramdisk ?? '']) {
    const inside = o.kernelDirs.some((dir) => path.startsWith(`${dir}/`)) && !path.split('/').includes('..');
    if (path !== '' && !inside)
      throw refuse(
        `kernels are taken only from ${o.kernelDirs.join(' and ')}, not from ${path}: put it there on both hosts`,
      );
  }
}
