/**
 * The domains of a host as the Xen 1.2 tools number them: by the hypervisor's own number, 0 for the control domain. Everything
 * is asked of the domain manager; nothing is kept here.
 */
import type { VmEntry, Xenops } from '../../contracts/xenops.ts';

export interface DomainInfo {
  readonly dom: number;
  readonly name: string;
  readonly cpu: number;
  readonly running: boolean;
  readonly stopped: boolean;
  readonly mem_kb: number;
  /** Nanoseconds; 0 where the ground does not count it. */
  readonly cpu_time: number;
  /** The VM's id; undefined for a domain that nobody added. */
  readonly vm: string | undefined;
}
export class NoSuchDomain extends Error {
  override readonly name = 'NoSuchDomain';
  constructor(dom: number, why = 'there is no such domain; "xc_dom_control.py list" shows those that there are') {
    super(`domain ${dom}: ${why}`);
  }
}

/** Numbers ascending. */
export async function domains(xenops: Xenops): Promise<DomainInfo[]> {
  const all = await xenops.host.domains({});
  return all
    .map(({ domid, name, power, memory, vm }) => ({
      dom: domid,
      name,
      cpu: 0,
      running: power === 'Running',
      stopped: power !== 'Running',
      mem_kb: Math.round(memory / 1024),
      cpu_time: 0,
      vm: vm ?? undefined,
    }))
    .sort((a, b) => a.dom - b.dom);
}
/** The VM that runs as this domain. NoSuchDomain, also for one that nobody added: it is not ours to touch. */
export async function vmOf(xenops: Xenops, dom: number): Promise<VmEntry> {
  const found = (await domains(xenops)).find((d) => d.dom === dom);
  if (!found) throw new NoSuchDomain(dom);
  if (found.vm === undefined) throw new NoSuchDomain(dom, 'nobody added it here, so it is left alone');
  return xenops.vm.stat({ id: found.vm });
}
/** Resolves when the VM has no domain, or another one than `dom`. */
export async function untilGone(xenops: Xenops, id: string, dom: number, signal?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const settled = (f: () => void) => {
      unwatch();
      signal?.removeEventListener('abort', stop);
      f();
    };
    const gone = (vm: VmEntry | null) => !vm || vm.state.domid !== dom || vm.state.power === 'Halted';
    const unwatch = xenops.watch((event) => {
      if (event.id === id && gone(event.vm)) settled(resolve);
    });
    const stop = () => settled(() => reject(signal?.reason));
    signal?.addEventListener('abort', stop, { once: true });
    xenops.vm.stat({ id }).then(
      (vm) => gone(vm) && settled(resolve),
      () => settled(resolve), // not registered any more
    );
  });
}
