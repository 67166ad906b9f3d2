/** Making a domain, empty, and ending one: the hypervisor's part and the store's. */
import { bestEffort } from '../../../base/best-effort.ts';
import { type VmSpec, xenopsErrors } from '../../../contracts/xenops.ts';
import { CallFailed } from '../../../xen/koffi.ts';
import { scheduleOf } from './check.ts';
import { Domain, type DomainNeeds } from './domain.ts';
import type { DomainRecord } from './record.ts';
import { guestNodes, removeNodes, writeNodes } from './store-layout.ts';
import { tearDownDevices } from './teardown.ts';

const mib = 1 << 20;
/** What a domain may have beside its guest's memory. */
const slack = mib;
/** The screen's memory and the ROMs of an HVM machine. */
const machineMemory = 32 * mib;
export const slackOf = ({ domainType }: VmSpec): number => slack + (domainType === 'hvm' ? machineMemory : 0);

/** A domain that is `created`. What was made of one that fails is taken away again. */
export async function createDomain(needs: DomainNeeds, spec: VmSpec, domid: number, boot: string): Promise<Domain> {
  const record: DomainRecord = {
    version: 1,
    spec,
    domid,
    boot,
    phase: 'created',
    startedAt: Math.floor(needs.clock.now() / 1000),
    drives: [],
    nics: [],
    discs: {},
    vcpus: spec.vcpus.current,
    memoryTarget: spec.memory.dynamicMax,
    ports: { store: 0, console: 0 },
  };
  const domain = new Domain(needs, record);
  await needs.folders.create(record);
  try {
    makeDomain(needs, spec, domid);
    const { domains } = needs.xen;
    // A toolstack that takes over has no use for a domain whose ports it does not know.
    domain.note({ ports: { store: domains.allocateChannel(domid, 0), console: domains.allocateChannel(domid, 0) } });
    await needs.store.transaction((inside) => writeNodes(inside, guestNodes(record)));
    return domain;
  } catch (error) {
    await bestEffort('a domain that could not be made', needs.log, () => destroyDomain(domain));
    throw inWords(error, spec, needs);
  }
}
function makeDomain({ xen }: DomainNeeds, spec: VmSpec, domid: number): void {
  const { domainType: type, memory, vcpus } = spec;
  const { domains } = xen;
  domains.create({ domid, uuid: spec.id, type, maxVcpus: vcpus.max }, domains.host().hap);
  domains.setMaxMemory(domid, memory.staticMax + slackOf(spec));
  if (type === 'pv') domains.setMemoryMapLimit(domid, memory.staticMax + slack);
  else domains.setPagingMemory(domid, pagingMib(spec));
  domains.applyCpuPolicy(domid, false);
  const offset = Number(spec.platform['timeoffset'] ?? 0);
  if (Number.isFinite(offset) && offset !== 0) domains.setTimeOffset(domid, Math.trunc(offset));
  const schedule = scheduleOf(spec);
  if (!schedule) return;
  domains.setSchedule(domid, schedule.weight, schedule.cap);
  if (schedule.mask) for (let cpu = 0; cpu < vcpus.max; cpu++) domains.setAffinity(domid, cpu, schedule.mask);
}
/** Page tables of a hardware-virtualised guest: 1 MiB for each CPU, 8 KiB for each MiB, as often as it was asked for. */
export const pagingMib = ({ memory, vcpus, shadowMultiplier = 1 }: VmSpec): number =>
  Math.ceil((vcpus.max + Math.ceil((memory.staticMax / mib) * (8 / 1024))) * shadowMultiplier);

function inWords(error: unknown, spec: VmSpec, { xen }: DomainNeeds): unknown {
  if (!(error instanceof CallFailed) || error.code !== 'ENOMEM') return error;
  const { memoryFree: free, memoryTotal: total } = xen.domains.host();
  const args = { vm: spec.id, needed: spec.memory.staticMax, free, total };
  return xenopsErrors.make('Not_enough_memory', args, { cause: error });
}

/** The domain, its devices' backends and its entries go, whatever state they are in. */
export async function destroyDomain(domain: Domain): Promise<void> {
  const { needs, domid, vm } = domain;
  domain.doomed = true;
  domain.console?.close();
  const info = needs.xen.domains.find(domid);
  if (info?.uuid === vm) await needs.xen.destroy(domid);
  await tearDownDevices(domain);
  if (await needs.store.isIntroduced(domid))
    await bestEffort('the store sees by itself that a domain is gone', needs.log, () => needs.store.release(domid));
  // Another domain may have the number by now.
  const now = needs.xen.domains.find(domid);
  if (!now || now.uuid === vm) await removeNodes(needs.store, domid, vm);
  await needs.folders.remove(vm);
}
