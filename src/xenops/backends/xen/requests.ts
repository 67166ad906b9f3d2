/** What a running guest is asked to do, through the store. */
import { xenopsErrors } from '../../../contracts/xenops.ts';
import { awaitNode } from './await-node.ts';
import type { Domain } from './domain.ts';
import { cpuNodes, domainPath, writeNodes } from './store-layout.ts';

/**
 * `control/shutdown` is written; the guest acknowledges by clearing it. Failed_to_acknowledge_shutdown_request. A guest that has
 * not come so far yet finds the request when it does.
 */
export async function requestShutdown(domain: Domain, what: 'poweroff' | 'reboot'): Promise<void> {
  const refused = () => xenopsErrors.make('Failed_to_acknowledge_shutdown_request', { vm: domain.vm, what });
  if (domain.power(domain.live()) !== 'running') throw refused();
  if (domain.record.spec.domainType === 'hvm') return pressPower(domain, what);
  if (!(await ask(domain, what, domain.needs.patience.acknowledgeMs))) throw refused();
}
/** The power button: what a guest without drivers for Xen knows. */
async function pressPower(domain: Domain, what: 'poweroff' | 'reboot'): Promise<void> {
  const rebooting = what === 'reboot';
  if ((domain.record.rebooting ?? false) !== rebooting) await domain.update({ rebooting });
  domain.needs.xen.domains.sendTrigger(domain.domid, powerButton);
}
const powerButton = 3;
/** Asks for a way to stop; false when the guest has not acknowledged in time, or before `signal` aborted. */
export async function ask(
  domain: Domain,
  what: 'poweroff' | 'reboot' | 'suspend',
  ms: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const { store } = domain.needs;
  const path = `${domainPath(domain.domid)}/control/shutdown`;
  await store.write(path, what);
  const taken = (value: string | undefined) => value !== what || domain.endOf(domain.info()) !== undefined;
  try {
    return (await awaitNode(domain.needs, path, taken, ms, signal)).fits;
  } catch (error) {
    if (signal?.aborted) return false;
    throw error;
  }
}

export async function setVcpus(domain: Domain, count: number): Promise<void> {
  const { max } = domain.record.spec.vcpus;
  if (count < 1 || count > max) throw xenopsErrors.make('Invalid_vcpus', { count, max });
  if (count === domain.record.vcpus) return;
  const nodes = cpuNodes(domain.domid, max, count);
  await domain.needs.store.transaction((inside) => writeNodes(inside, nodes));
  await domain.update({ vcpus: count });
  domain.changed();
}

/** The guest's balloon driver looks at `memory/target`. */
export async function setMemoryTarget(domain: Domain, bytes: number): Promise<void> {
  const { staticMax } = domain.record.spec.memory;
  if (bytes > staticMax || bytes < 1 << 20)
    throw xenopsErrors.make('Bad_spec', {
      key: 'memory target',
      reason: `${bytes} bytes are not between ${1 << 20} and the static maximum of ${staticMax}`,
    });
  if (domain.record.memoryTarget === bytes) return;
  await domain.needs.store.write(`${domainPath(domain.domid)}/memory/target`, String(Math.floor(bytes / 1024)));
  await domain.update({ memoryTarget: bytes });
  domain.changed();
}

const nmi = 0;
/** Magic SysRq through the store, or a non-maskable interrupt. */
export async function sendKeys(domain: Domain, kind: 'sysrq' | 'trigger', value: string): Promise<void> {
  domain.live();
  if (kind === 'sysrq') {
    if (!/^[a-z0-9]$/.test(value))
      throw xenopsErrors.make('Bad_spec', { key: 'sysrq', reason: `"${value}" is not one letter or digit` });
    await domain.needs.store.write(`${domainPath(domain.domid)}/control/sysrq`, value);
    return;
  }
  if (value !== 'nmi' || domain.record.spec.domainType === 'pv')
    throw xenopsErrors.make('Unimplemented', {
      function: `the trigger "${value}" (there is "nmi", and not for PV guests)`,
      backend: 'xen',
    });
  domain.needs.xen.domains.sendTrigger(domain.domid, nmi);
}
