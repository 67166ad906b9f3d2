/**
 * What a guest finds in the store about itself, as data: paths, values, and who may do what. The guest reads all of its own
 * tree, and writes only where nobody believes it: what the toolstack relies on (its devices, its console's ring, its name) is
 * never the guest's to change.
 *
 *     /local/domain/D                       dom0's; the guest reads
 *       name domid vm memory/ cpu/ console/ store/ device/      as above
 *       control/shutdown control/sysrq control/feature-*        the guest's: requests are acknowledged by clearing them
 *       data drivers feature attr error                         the guest's
 *       device/vbd/51712 device/vif/0                           the guest's own end of a device (see xenbus.ts)
 *     /vm/UUID                              dom0's; the guest reads
 *     /tool/guesthouse/domains/D            dom0's alone: that the domain is ours
 */

import type { VmSpec } from '../../../contracts/xenops.ts';
import type { Store, StoreOperations, StorePermission } from '../../../contracts/xenstore.ts';

export interface StoreNode {
  readonly path: string;
  /** Undefined: only there. */
  readonly value?: string;
  /** Undefined: as the node above it. */
  readonly permissions?: readonly StorePermission[];
}
export interface GuestPlaces {
  readonly domid: number;
  readonly spec: VmSpec;
  readonly vcpus: number;
  /** Bytes. */
  readonly memoryTarget: number;
}
export interface GuestRings {
  readonly store: bigint;
  readonly console: bigint;
  readonly storePort: number;
  readonly consolePort: number;
}

/** dom0's, readable by the guest. */
export const readable = (domid: number): readonly StorePermission[] => [
  { domid: 0, access: 'n' },
  { domid, access: 'r' },
];
/** The guest's own; dom0 may do everything anyway. */
export const writable = (domid: number): readonly StorePermission[] => [{ domid, access: 'n' }];
const hidden: readonly StorePermission[] = [{ domid: 0, access: 'n' }];

export const domainPath = (domid: number): string => `/local/domain/${domid}`;
export const vmPath = (vm: string): string => `/vm/${vm}`;
export const marksPath = '/tool/guesthouse/domains';
export const markPath = (domid: number): string => `${marksPath}/${domid}`;
const kib = (bytes: number) => String(Math.floor(bytes / 1024));
/** Bytes of console output that are kept for a reader that is away. */
const consoleLimit = 1 << 20;

/** Everything but the rings, which there are once the guest is built. Parents come before what is in them. */
export function guestNodes({ domid, spec, vcpus, memoryTarget }: GuestPlaces): StoreNode[] {
  const base = domainPath(domid);
  const at = (path: string, value?: string, permissions?: readonly StorePermission[]): StoreNode => ({
    path: `${base}/${path}`,
    ...(value === undefined ? {} : { value }),
    ...(permissions ? { permissions } : {}),
  });
  const own = (path: string, value?: string) => at(path, value, writable(domid));
  return [
    { path: markPath(domid), value: spec.id, permissions: hidden },
    { path: base, permissions: readable(domid) },
    { path: vmPath(spec.id), permissions: readable(domid) },
    { path: `${vmPath(spec.id)}/uuid`, value: spec.id },
    { path: `${vmPath(spec.id)}/name`, value: nameOf(spec) },
    at('name', nameOf(spec)),
    at('domid', String(domid)),
    at('vm', vmPath(spec.id)),
    at('memory/static-max', kib(spec.memory.staticMax)),
    at('memory/target', kib(memoryTarget)),
    at('memory/videoram', spec.domainType === 'hvm' ? '8192' : '0'),
    ...cpuNodes(domid, spec.vcpus.max, vcpus),
    at('device'),
    own('device/suspend/event-channel', ''),
    at('control'),
    own('control/shutdown', ''),
    own('control/sysrq', ''),
    ...['poweroff', 'reboot', 'suspend'].map((what) => own(`control/feature-${what}`, '')),
    at('control/platform-feature-multiprocessor-suspend', '1'),
    at('control/platform-feature-xs_reset_watches', '1'),
    ...['data', 'drivers', 'feature', 'attr', 'error'].map((name) => own(name)),
    ...dataNodes(domid, spec),
    ...(spec.domainType === 'hvm' ? machineNodes(domid) : []),
  ];
}
/** What hvmloader asks. */
function machineNodes(domid: number): StoreNode[] {
  const base = domainPath(domid);
  return [
    { path: `${base}/hvmloader/bios`, value: 'seabios' },
    { path: `${base}/hvmloader/allow-memory-relocate`, value: '0' },
    { path: `${base}/platform/acpi`, value: '1' },
    { path: `${base}/platform/acpi_s3`, value: '0' },
    { path: `${base}/platform/acpi_s4`, value: '0' },
  ];
}
/** Which CPUs are to be on. */
export function cpuNodes(domid: number, max: number, count: number): StoreNode[] {
  return Array.from({ length: max }, (_, cpu) => ({
    path: `${domainPath(domid)}/cpu/${cpu}/availability`,
    value: cpu < count ? 'online' : 'offline',
  }));
}
/** Where the frame of the page that a guest shares with the store is noted. */
export const storeRingPath = (domid: number): string => `${domainPath(domid)}/store/ring-ref`;
/** The shared pages of the store and the console, and where they ring. */
export function ringNodes(domid: number, rings: GuestRings): StoreNode[] {
  const base = domainPath(domid);
  return [
    { path: storeRingPath(domid), value: String(rings.store) },
    { path: `${base}/store/port`, value: String(rings.storePort) },
    { path: `${base}/console/ring-ref`, value: String(rings.console) },
    { path: `${base}/console/port`, value: String(rings.consolePort) },
    { path: `${base}/console/limit`, value: String(consoleLimit) },
    { path: `${base}/console/output`, value: 'pty' },
    // Said last: with it, the console daemon begins.
    { path: `${base}/console/type`, value: 'xenconsoled' },
  ];
}
/** Free values for the guest: below `vm-data` only, so that they mean nothing to anybody else. */
function dataNodes(domid: number, spec: VmSpec): StoreNode[] {
  return Object.entries(spec.xenstoreData ?? {})
    .filter(([key]) => key === 'vm-data' || key.startsWith('vm-data/'))
    .map(([key, value]) => ({ path: `${domainPath(domid)}/${key}`, value }));
}
/** One line without slashes: the console daemon makes a file's name of it. */
export const nameOf = (spec: VmSpec): string =>
  spec.name
    .replace(/[\u0000-\u001f\u007f]/g, ' ')
    .replaceAll('/', '_')
    .slice(0, 200);

/** Puts nodes there as they are described: asked for at once, and done in their order. */
export async function writeNodes(store: StoreOperations, nodes: readonly StoreNode[]): Promise<void> {
  const asked = nodes.flatMap(({ path, value, permissions }) => [
    value === undefined ? store.mkdir(path) : store.write(path, value),
    ...(permissions ? [store.setPermissions(path, permissions)] : []),
  ]);
  await Promise.all(asked);
}
/** Takes a domain's own tree out of the store, its backends' ends excepted. */
export async function removeNodes(store: Store, domid: number, vm: string): Promise<void> {
  await store.transaction(async (inside) => {
    for (const path of [domainPath(domid), vmPath(vm), markPath(domid)])
      if ((await inside.find(path)) !== undefined) await inside.rm(path);
  });
}
