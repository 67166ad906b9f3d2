/** Rings of a real Xen host: grants, event channels, and dom0's own page. */
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import type { Log } from '../../base/log.ts';
import { openDomainStates } from '../../xen/domain-state.ts';
import { koffi } from '../../xen/koffi.ts';
import { type Libc, openLibc, pageSize } from '../../xen/libc.ts';
import { openEventChannels, virqDomainException } from '../../xen/libxenevtchn.ts';
import { openGrantTable, xenstoreGrant } from '../../xen/libxengnttab.ts';
import type { RingHost, RingMemory } from './ring-host.ts';

const ownPage = '/proc/xen/xsd_kva';
const ownPort = '/proc/xen/xsd_port';
const backendDevice = '/dev/xen/xenbus_backend';
/** Asks the backend device for the port of the kernel's own ring. */
const askPort = 0x4200;

export interface XenRingHostOptions {
  readonly log: Log;
  /** What a predecessor, whose place this program takes, had bound. */
  readonly inherited?: { readonly fd: number; readonly virq: number } | undefined;
}

export interface XenRingHost extends RingHost {
  /** For a successor: the descriptor that keeps ports bound, and the port of the hypervisor's own bell. */
  readonly fd: number;
  readonly virq: number;
  readonly libc: Libc;
}

/** Opens Xen's interfaces, before anything of the store is touched. Throws when this is no Xen host, with what is missing. */
export function openXenRingHost({ log, inherited }: XenRingHostOptions): XenRingHost {
  const libc = openLibc();
  const domains = openDomainStates();
  const grants = openGrantTable();
  const channels = openEventChannels({ log, libc, ...(inherited && { fd: inherited.fd }) });
  const virq = inherited ? inherited.virq : channels.bindVirq(virqDomainException);
  const own = findOwn(libc);
  return {
    own: { domid: 0, port: own.port },
    fd: channels.fd,
    virq,
    libc,
    map: (domid) => (domid === 0 ? mapOwn(libc, own.path) : grants.map(domid, xenstoreGrant)),
    bind: (domid, port) => channels.bindInterdomain(domid, port),
    unbind: (local) => channels.unbind(local),
    notify: (local) => channels.notify(local),
    stateOf: (domid) => domains.of(domid),
    listen: (rung, domainsChanged) => channels.listen((local) => (local === virq ? domainsChanged() : rung(local))),
    close() {
      channels.close();
      grants.close();
      domains.close();
    },
  };
}

/** Where the page of this kernel's ring is, and its port: by xenfs, or by the device that replaces it. */
function findOwn(libc: Libc): { path: string; port: number } {
  if (existsSync(ownPort)) return { path: ownPage, port: Number.parseInt(readFileSync(ownPort, 'latin1'), 10) };
  const fd = openSync(backendDevice, 'r+');
  try {
    return { path: backendDevice, port: libc.ioctl(fd, askPort, 0) };
  } finally {
    closeSync(fd);
  }
}

function mapOwn(libc: Libc, path: string): RingMemory {
  const fd = openSync(path, 'r+');
  try {
    const address = libc.map(fd);
    return { memory: koffi().view(address, pageSize), unmap: () => libc.unmap(address) };
  } finally {
    closeSync(fd);
  }
}
