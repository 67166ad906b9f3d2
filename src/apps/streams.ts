/** How bytes of disks get from storage to the API: within this process where both are in it, else through storage's sockets. */
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Storage } from '../contracts/storage.ts';
import type { RunningStorage } from '../storage/server.ts';

export function streamsOf(
  storage: Storage & Partial<Pick<RunningStorage, 'connect'>>,
): (path: string) => Promise<Duplex> {
  return async (path) => {
    const near = storage.connect?.(path);
    if (near) return near;
    const socket = connectSocket({ path, allowHalfOpen: true });
    await once(socket, 'connect');
    return socket;
  };
}
