/** Disks and ports of guests, through the neighbours' contracts, with their errors put into this room's words. */
import { bestEffort } from '../base/best-effort.ts';
import type { Log } from '../base/log.ts';
import { type Call, ContractError } from '../contracts/contract.ts';
import type { Network, Port, PortCounters } from '../contracts/network.ts';
import type { OpenDisk, Storage } from '../contracts/storage.ts';
import { type Content, type VifSpec, xenopsErrors } from '../contracts/xenops.ts';
import type { Backend } from './backend.ts';

export interface Neighbours {
  readonly backend: Backend;
  readonly storage: Storage;
  readonly network: Network;
  readonly log: Log;
  /** What the VM is called now; undefined when it is not known. */
  nameOf(vm: string): string | undefined;
}

/** Opens a disk for a VM, for its domain or the one of another name; a `path` is used as it is. Storage_error. */
export async function openMedia(
  g: Neighbours,
  vm: string,
  media: Content,
  mode: 'RO' | 'RW',
  call?: Call,
  domain = vm,
): Promise<OpenDisk> {
  if (media.kind === 'path') return { path: media.path, format: media.format, readOnly: mode === 'RO' };
  if (media.kind === 'files') {
    const { label, files } = media;
    return inWords('Storage_error', () =>
      g.storage.disc.open({ user: vm, label, files, ...g.backend.owner(domain) }, call),
    );
  }
  const { sr, vdi } = media;
  return inWords('Storage_error', () =>
    g.storage.vdi.open({ sr, vdi, user: vm, mode, ...g.backend.owner(domain) }, call),
  );
}
/** Opens a disk while `f` works on it. */
export async function withMedia<T>(
  g: Neighbours,
  vm: string,
  media: Content,
  mode: 'RO' | 'RW',
  call: Call,
  f: (disk: OpenDisk) => Promise<T>,
): Promise<T> {
  const disk = await openMedia(g, vm, media, mode, call);
  const result = await orElse(
    g,
    () => f(disk),
    () => closeMedia(g, vm, media),
  );
  await closeMedia(g, vm, media);
  return result;
}
/** Runs `f`; when it fails, `cleanUp` too, and the first error is thrown. */
export async function orElse<T>(g: Neighbours, f: () => Promise<T>, cleanUp: () => Promise<void>): Promise<T> {
  try {
    return await f();
  } catch (error) {
    await bestEffort('what a failed step leaves behind is found by reconciling', g.log, cleanUp);
    throw error;
  }
}
/** The VM is done with the disk; `elsewhere`: on this host. Storage_error. */
export async function closeMedia(g: Neighbours, vm: string, media: Content | null, elsewhere = false): Promise<void> {
  if (media === null || media.kind === 'path') return;
  if (media.kind === 'files') return closeFiles(g, vm);
  const { sr, vdi } = media;
  await inWords('Storage_error', () => g.storage.vdi.close({ sr, vdi, user: vm, elsewhere }));
}
/** The VM is done with its volumes of files. Storage_error. */
export const closeFiles = (g: Neighbours, vm: string): Promise<void> =>
  inWords('Storage_error', () => g.storage.disc.close({ user: vm }));
/**
 * Makes the port of an interface, for the VM's domain or the one of another name: `beside` the VM's own domain, it gets one of its
 * own where the two could not have the same. Network_error.
 */
export function openPort(g: Neighbours, vm: string, vif: VifSpec, domain = vm, beside = false): Promise<Port> {
  const { id: device, bridge, mac, mtu, rateKib, lock } = vif;
  const carriers = [...new Set([vm, domain])].flatMap((name) => g.backend.vif.carrier?.(name, vif) ?? []);
  const name = g.nameOf(vm);
  const known = {
    ...(mtu === undefined ? {} : { mtu }),
    ...(name === undefined ? {} : { name }),
    ...(rateKib === undefined ? {} : { rateKib }),
    ...(lock === undefined ? {} : { filter: lock, ...(carriers.length > 0 ? { carriers } : {}) }),
  };
  const whose = beside ? { vm: domain, beside: vm } : { vm };
  const port = { ...whose, device, bridge, mac, ...known, ...g.backend.owner(domain) };
  return inWords('Network_error', () => g.network.port.attach(port));
}
/** The port of the second domain is the VM's now. Network_error. */
export function takePort(g: Neighbours, vm: string, device: string, from: string): Promise<void> {
  return inWords('Network_error', () => g.network.port.take({ vm, device, from }));
}
/** Network_error. */
export function portCounters(g: Neighbours, vm: string, vif: VifSpec): Promise<PortCounters> {
  const carrier = g.backend.vif.carrier?.(vm, vif);
  const port = { vm, device: vif.id, ...(carrier === undefined ? {} : { carrier }) };
  return inWords('Network_error', () => g.network.port.counters(port));
}
/** Takes the port of an interface away. Network_error. */
export function closePort(g: Neighbours, vm: string, device: string): Promise<void> {
  return inWords('Network_error', () => g.network.port.detach({ vm, device }));
}

/** A neighbour's error becomes ours; its own kind and arguments travel along as `code` and `params`. */
export async function inWords<T>(kind: 'Storage_error' | 'Network_error', f: () => Promise<T>): Promise<T> {
  try {
    return await f();
  } catch (cause) {
    if (cause instanceof ContractError && cause.kind === 'Cancelled') throw cause;
    const own = cause instanceof ContractError ? { code: cause.kind, params: cause.args } : {};
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw xenopsErrors.make(kind, { reason, ...own }, { cause });
  }
}

/** Whether two drives hold the same disk. */
export function sameMedia(a: Content | null, b: Content | null): boolean {
  if (a === null || b === null) return a === b;
  // They are closed together.
  if (a.kind === 'files') return b.kind === 'files';
  if (a.kind === 'vdi') return b.kind === 'vdi' && a.sr === b.sr && a.vdi === b.vdi;
  return b.kind === 'path' && a.path === b.path;
}
