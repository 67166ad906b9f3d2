/** The xenopsd interface over a domain manager: with what it remembers for callers who ask later, on a socket, and on a queue. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Xenops } from '../contracts/xenops.ts';
import { openDoor } from '../doors/xenopsd/door.ts';
import type { DoorParts, Migrate } from '../doors/xenopsd/parts.ts';
import { serveDoor } from '../doors/xenopsd/server.ts';
import { switchAt } from '../switch/at.ts';
import { SwitchServer } from '../switch/peer.ts';
import type { ScreenPorts } from '../vncterm/ports.ts';
import { Tasks } from '../xenops/tasks.ts';
import { Updates } from '../xenops/updates.ts';

export interface DoorOptions {
  readonly xenops: Xenops;
  readonly screens: Pick<ScreenPorts, 'portOf'>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly version: string;
  readonly socketPath: string;
  /** Queues of a message switch that calls are taken from too. */
  readonly queues?: { readonly address: string; readonly names: readonly string[] };
  readonly shutdown: () => void;
  /** How VMs go to other hosts. */
  readonly migrate?: Migrate;
}
/** Opens it; the answer closes it, and leaves the domain manager as it is. */
export async function openXenopsdDoor(o: DoorOptions): Promise<() => Promise<void>> {
  const { xenops, screens, clock, ids, log, version, shutdown } = o;
  const updates = new Updates(clock);
  const object = (id: string) => ({ kind: 'task', vm: '', id }) as const;
  const tasks = new Tasks(clock, (id, gone) => (gone ? updates.drop(object(id)) : updates.touch(object(id))));
  const unwatch = xenops.watch((event) => updates.follow(event));
  for (const vm of await xenops.vm.list({})) updates.follow({ id: vm.spec.id, vm });
  const screenPort = (vm: string) => screens.portOf(vm);
  const parts: DoorParts = {
    xenops,
    screenPort,
    tasks,
    updates,
    clock,
    ids,
    log,
    version,
    instance: ids.uuid(),
    shutdown,
    ...(o.migrate ? { migrate: o.migrate } : {}),
  };
  const door = openDoor(parts);
  const close = await serveDoor(door, o.socketPath, log);
  const never = new AbortController().signal;
  const servers = (o.queues?.names ?? []).map((name) => {
    const token = `xenopsd-${process.pid}-${randomBytes(6).toString('hex')}`;
    const peer = { switch: switchAt(o.queues?.address ?? '', { clock, log }), token, clock, log };
    return new SwitchServer(peer, name, (text) => door(text, never));
  });
  return async () => {
    unwatch();
    await Promise.all(servers.map((server) => server.close()));
    await close();
  };
}
