/**
 * `guesthouse up --separate`: network, storage and the domain manager are processes of their own under the supervisor, and the house
 * meets them over their contracts' sockets. Each keeps its own state in `DIR/<room>.db`.
 *
 *     (house starts) ─▶ network, storage ─▶ domain manager ─▶ (house opens) … (house is asked to end) ─▶ they end, last first
 *
 * A house that is killed leaves them as they are, and its successor finds them; one of them that is killed is started again by
 * the supervisor.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { isKind } from '../contracts/contract.ts';
import { networkContract } from '../contracts/network.ts';
import type { Processes, ProcessSpec } from '../contracts/processes.ts';
import { storageContract } from '../contracts/storage.ts';
import { xenopsContract } from '../contracts/xenops.ts';
import { connectContract } from '../rpc/client.ts';
import { isAnswered } from '../rpc/socket-path.ts';
import type { Rooms } from './join.ts';
import type { Places } from './places.ts';
import { houseEnvironment, nodeFlags, program } from './toolstack.ts';
import { version } from './version.ts';

/** In the order of starting. */
export const roomNames = ['network', 'storage', 'xenops'] as const;
export type RoomName = (typeof roomNames)[number];
export const roomSocket = (at: Places, name: RoomName): string =>
  ({ network: at.networkSocket, storage: at.storageSocket, xenops: at.xenopsSocket })[name];
const roomId = (name: RoomName): string => `room-${name}`;
/** A room that is started again answers by then; taking over running guests takes its time. */
const patienceMs = 30_000;
const endMs = 10_000;
/** They make little garbage. */
const smallNursery = '--max-semi-space-size=2';

/** A host stays as it was made: its rooms would not find their state otherwise. An Error that says so. */
export function checkSeparate(at: Places, separate: boolean): void {
  const made = existsSync(at.separateMark);
  if (made === separate) return;
  if (existsSync(join(at.data, 'state.db')))
    throw new Error(
      `the host in ${at.data} was made ${made ? 'with' : 'without'} --separate and stays so; choose another --data`,
    );
  writeFileSync(at.separateMark, '');
}

export interface SeparateRooms extends Rooms {
  readonly onMissed: (f: () => void) => void;
  /** Lets go of the connections. */
  close(): void;
  /** Ends the processes. */
  end(): Promise<void>;
}
/** Starts those that do not run, and connects to all. */
export async function separateRooms(a: {
  readonly at: Places;
  readonly processes: Processes;
  readonly hypervisor: string;
  readonly log: Log;
}): Promise<SeparateRooms> {
  const { at, processes, log } = a;
  for (const name of roomNames) await ensureRoom(a, name);
  const missed: (() => void)[] = [];
  const options = { log, connectTimeoutMs: patienceMs };
  const network = connectContract(networkContract, at.networkSocket, options);
  const storage = connectContract(storageContract, at.storageSocket, options);
  const onReconnect = () => {
    log.info('the domain manager is back');
    for (const f of missed) f();
  };
  const xenops = connectContract(xenopsContract, at.xenopsSocket, { ...options, onReconnect });
  return {
    ...{ network, storage, xenops },
    onMissed: (f) => void missed.push(f),
    close() {
      for (const each of [xenops, storage, network]) each.close();
    },
    async end() {
      for (const name of roomNames.toReversed()) await processes.process.stop({ id: roomId(name), timeoutMs: endMs });
    },
  };
}

async function ensureRoom(
  a: { readonly at: Places; readonly processes: Processes; readonly hypervisor: string },
  name: RoomName,
): Promise<void> {
  const { processes, at } = a;
  const spec = roomSpec(at, name, a.hypervisor);
  const { id } = spec;
  if (!(await runsAs(processes, spec))) {
    await processes.process.stop({ id, timeoutMs: endMs });
    await processes.process.start(spec);
  }
  const socket = roomSocket(at, name);
  for (const deadline = systemClock.now() + patienceMs; !(await isAnswered(socket)); await systemClock.sleep(20)) {
    const found = await processes.process.stat({ id });
    if (found.failed !== undefined || systemClock.now() > deadline)
      throw new Error(`the room ${name} does not come up: ${found.failed ?? `see ${at.output(id)}`}`);
  }
}
async function runsAs(processes: Processes, spec: ProcessSpec): Promise<boolean> {
  try {
    const found = await processes.process.stat({ id: spec.id });
    return found.running && found.command.join('\0') === spec.command.join('\0') && found.tags['version'] === version;
  } catch (error) {
    if (isKind(error, 'Does_not_exist')) return false;
    throw error;
  }
}
const roomSpec = (at: Places, name: RoomName, hypervisor: string): ProcessSpec => ({
  id: roomId(name),
  command: [
    process.execPath,
    ...nodeFlags,
    smallNursery,
    program('room'),
    name,
    '--data',
    at.data,
    '--hypervisor',
    hypervisor,
  ],
  log: at.output(roomId(name)),
  env: houseEnvironment(),
  cwd: '/',
  restart: 'permanent',
  ready: { kind: 'socket', path: roomSocket(at, name) },
  tags: { version, kind: 'room' },
});
