/**
 * The rooms of a host that serve a contract: each is opened here, in the house's own process or in one of its own, which then
 * loads nothing of the others.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Bootloader } from '../contracts/bootloader.ts';
import type { Network } from '../contracts/network.ts';
import type { Processes } from '../contracts/processes.ts';
import type { Storage } from '../contracts/storage.ts';
import type { Hosts } from '../rpc/index.ts';
import type { Store } from '../store/store.ts';
import type { Backend } from '../xenops/backend.ts';
import type { XenopsServer } from '../xenops/server.ts';

export interface RoomParts {
  /** The folder of the host's state. */
  readonly data: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
}
type Closing = { close(): Promise<void> };

/** Below the host's folder; made when it is missing. */
export function roomFolder(data: string, name: string): string {
  const path = join(data, name);
  mkdirSync(path, { recursive: true, mode: 0o711 });
  return path;
}
export async function openNetworkRoom(
  p: RoomParts & { readonly processes: Processes; readonly simulated: boolean },
): Promise<Network & Closing> {
  const { openNetwork } = await import('../network/server.ts');
  return openNetwork({ ...p, dir: roomFolder(p.data, 'network') });
}
export async function openStorageRoom(p: RoomParts): Promise<Storage & Closing> {
  const { openStorage } = await import('../storage/server.ts');
  return openStorage({ ...p, dir: roomFolder(p.data, 'storage') });
}
export interface XenopsRoomParts extends RoomParts {
  readonly backend: Backend;
  readonly storage: Storage;
  readonly network: Network;
  /** Names the host's present boot. */
  readonly boot?: string | undefined;
  /** Other hosts' domain managers; absent: guests move within this host only. */
  readonly hosts?: Pick<Hosts, 'connect'> | undefined;
}
export async function openXenopsRoom(p: XenopsRoomParts): Promise<XenopsServer> {
  const { backend, storage, network, store, clock, ids, log, data } = p;
  const simulated = backend.name === 'simulator';
  const { folderHooks } = await import('../xenops/hooks.ts');
  const { diskKernels } = await import('../xenops/kernels.ts');
  const { openXenops } = await import('../xenops/server.ts');
  const { bridgesByName } = await import('./xenopsd-network.ts');
  const bootloader = await openLoader(simulated, { clock, log });
  const mayBridge = simulated || process.getuid?.() === 0;
  return openXenops({
    ...{ clock, ids, log, backend, storage, store },
    // Other doors name bridges that no network was made for.
    network: bridgesByName(network, mayBridge ? 'bridge' : 'user'),
    kernels: diskKernels({ bootloader, dir: roomFolder(data, 'boot') }),
    hooks: folderHooks('/etc/xapi.d', log),
    ...(p.boot ? { boot: p.boot } : {}),
    ...(p.hosts ? { connect: p.hosts.connect } : {}),
  });
}
/** Simulated guests have nothing on their disks to boot. */
async function openLoader(simulated: boolean, parts: Pick<RoomParts, 'clock' | 'log'>): Promise<Bootloader> {
  if (simulated) return (await import('../bootloader/simulated.ts')).simulatedBootloader();
  return (await import('../bootloader/server.ts')).openBootloader(parts);
}
