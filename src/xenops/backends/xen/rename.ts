/**
 * Another name (UUID) for a domain, in its record, in the hypervisor and in the store. Whoever finds it half done knows from the
 * records which way to go:
 *
 *     from ──▶ from, becoming to ──▶ both records ──▶ handle and nodes ──▶ to
 *                  └─ a restart: from     └──────── a restart: to ────────┘
 */
import { bestEffort } from '../../../base/best-effort.ts';
import { openConsole } from './console.ts';
import { Domain, type DomainNeeds } from './domain.ts';
import type { DomainRecord } from './record.ts';
import { domainPath, markPath, nameOf, readable, vmPath } from './store-layout.ts';

/** The domain under its new name; the old object is not used any more. */
export async function renameDomain(domain: Domain, to: string): Promise<Domain> {
  const { needs, vm, domid } = domain;
  await domain.update({ becoming: to });
  const { becoming: _, ...record } = domain.record;
  const renamed = new Domain(needs, { ...record, spec: { ...record.spec, id: to } });
  await needs.folders.take(renamed.record);
  if (domain.info()) needs.xen.domains.setHandle(domid, to);
  await renameNodes(needs, renamed.record, vm);
  domain.doomed = true;
  domain.console?.close();
  await needs.folders.remove(vm);
  if (renamed.built) renamed.console = openConsole(renamed);
  return renamed;
}
async function renameNodes({ store }: DomainNeeds, { domid, spec }: DomainRecord, from: string): Promise<void> {
  await store.transaction(async (inside) => {
    if ((await inside.find(domainPath(domid))) === undefined) return;
    await inside.write(markPath(domid), spec.id);
    await inside.mkdir(vmPath(spec.id));
    await inside.setPermissions(vmPath(spec.id), readable(domid));
    await inside.write(`${vmPath(spec.id)}/uuid`, spec.id);
    await inside.write(`${vmPath(spec.id)}/name`, nameOf(spec));
    await inside.write(`${domainPath(domid)}/vm`, vmPath(spec.id));
    if ((await inside.find(vmPath(from))) !== undefined) await inside.rm(vmPath(from));
  });
}

type Found = ReadonlyMap<string, DomainRecord | undefined>;
/** Ends renamings that were cut short; answers the records that there are then. */
export async function mendNames(needs: DomainNeeds, found: Found): Promise<Found> {
  const mended = new Map(found);
  for (const [vm, record] of found) {
    if (record?.becoming === undefined) continue;
    const { becoming, ...rest } = record;
    const next = found.get(becoming);
    const info = needs.xen.domains.find(record.domid);
    const ours = info && !info.dying && (info.uuid === vm || info.uuid === becoming);
    const done = next?.domid === record.domid && next.boot === record.boot;
    if (ours) needs.xen.domains.setHandle(record.domid, done ? becoming : vm);
    if (done) {
      await bestEffort('names in the store', needs.log, () => renameNodes(needs, next, vm));
      await needs.folders.remove(vm);
      mended.delete(vm);
    } else {
      await needs.folders.write(rest);
      mended.set(vm, rest);
    }
  }
  return mended;
}
