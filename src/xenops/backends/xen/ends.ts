/** Hearing of guests that end by themselves: the store says that some domain has, the hypervisor says which and how. */
import { bestEffort } from '../../../base/best-effort.ts';
import type { Domain, DomainNeeds } from './domain.ts';

/** Looks at once, at every `@releaseDomain`, and now and then. The answer ends it. */
export async function watchEnds(
  needs: DomainNeeds,
  domains: ReadonlyMap<string, Domain>,
): Promise<() => Promise<void>> {
  const { store, clock, log, patience } = needs;
  const told = new WeakSet<Domain>();
  let closed = false;
  let cancel: () => void = () => undefined;
  const look = () => {
    for (const domain of domains.values()) if (!told.has(domain)) lookAt(domain);
  };
  const lookAt = (domain: Domain) => {
    if (domain.doomed || !domain.built || domain.record.end) return;
    const end = domain.endOf(domain.info());
    if (!end) return;
    told.add(domain);
    log.info('a guest has ended', { vm: domain.vm, domid: domain.domid, ...end });
    void bestEffort('the end of a guest is seen again by the next toolstack', log, async () => {
      if (end.reason === 'crash') await dump(domain);
      await domain.update({ end });
      needs.emit({ event: 'ended', vm: domain.vm, end });
    });
  };
  const soon = () => {
    if (closed) return;
    cancel = clock.after(patience.lookMs, () => {
      void bestEffort('looked again soon', log, look).finally(soon);
    });
  };
  soon();
  const unwatch = await store.watch('@releaseDomain', () => void bestEffort('looked again soon', log, look));
  return async () => {
    closed = true;
    cancel();
    await unwatch();
  };
}

/** The memory of a guest that crashed, if its description wants that (`platform:crash-dump=true`): for debuggers. */
async function dump({ vm, domid, record, needs }: Domain): Promise<void> {
  const { platform, domainType: type, memory } = record.spec;
  if (platform['crash-dump'] !== 'true' || type === 'hvm') return;
  const path = needs.folders.paths(vm).coreDump;
  await bestEffort('a guest that crashed is not dumped', needs.log, async () => {
    await needs.xen.dumpCore({ domid, type, memoryMax: memory.staticMax, path });
    needs.log.info('a guest that crashed was dumped', { vm, domid, path });
  });
}
