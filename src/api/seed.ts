/**
 * What every fresh host has: pool, host, control domain, a default repository and one for CD images, a network, templates.
 * Made on the first start and repaired on each; what users have changed or deleted stays so. An interrupted first start is carried on.
 */

import { dirname } from 'node:path';
import { syncDevices } from './devices.ts';
import { refreshAllowed, refreshVm } from './guards.ts';
import { seedHost } from './seed/host-rows.ts';
import { seedNetworks } from './seed/network-rows.ts';
import type { Home, Seeded, SeedParts } from './seed/parts.ts';
import { seedStorage } from './seed/storage-rows.ts';
import { seedTemplates } from './seed/templates.ts';

export { type HostFacts, hostFacts } from './seed/facts.ts';
export type { Seeded, SeedParts, TinyLinux } from './seed/parts.ts';

/** Answers when everything is there and durable. Throws what kept it from that. */
export async function seedDatabase(parts: SeedParts): Promise<Seeded> {
  const { db, tinyLinux } = parts;
  const { host, pool } = await seedHost(parts);
  await syncDevices(parts.db, parts.xenops, host);
  const home: Home = { ...parts, host, pool };
  await seedStorage(home);
  await seedNetworks(home);
  await seedTemplates(home);
  refreshAll(home);
  await db.durable();
  const kernelDirs = tinyLinux ? [...new Set([dirname(tinyLinux.kernel), dirname(tinyLinux.ramdisk)])] : [];
  return { host, pool, kernelDirs };
}

/** `allowed_operations` are not kept over restarts. VMs that the domain manager knows get theirs from what it reports. */
function refreshAll({ db }: Home): void {
  db.write((w) => {
    for (const cls of ['host', 'SR', 'VDI'] as const)
      for (const ref of [...db.refs(cls)]) refreshAllowed(db, w, cls, ref);
    for (const [ref, vm] of [...db.rows('VM')]) if (vm.is_a_template || vm.is_control_domain) refreshVm(db, w, ref);
  });
}
