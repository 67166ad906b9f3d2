/** Which ground guests run on: asked for by `--hypervisor`, or the best that this machine has. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Processes } from '../contracts/processes.ts';
import type { Backend } from '../xenops/backend.ts';
import { backends } from '../xenops/backends/index.ts';
import { openTunToGuests } from './tun.ts';

export type Hypervisor = 'auto' | 'xen' | 'qemu' | 'simulator';
export interface GroundParts {
  readonly processes: Processes;
  readonly data: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
}

/** A wish that cannot be met: the sentence says why and what to do. */
export class GroundError extends Error {
  override readonly name = 'GroundError';
}

const qemuPaths = ['/usr/bin/qemu-system-x86_64', '/usr/local/bin/qemu-system-x86_64'];

export async function openGround(wish: Hypervisor, parts: GroundParts): Promise<Backend> {
  if (wish === 'xen') {
    throw new GroundError(
      '--hypervisor xen: this version has no backend for Xen yet; use --hypervisor qemu or --hypervisor simulator',
    );
  }
  if (wish === 'simulator') return simulator(parts);
  const qemu = qemuPaths.find((path) => existsSync(path));
  if (!qemu) {
    throw new GroundError(
      'qemu-system-x86_64 was not found; install the package qemu-system-x86, or choose --hypervisor simulator',
    );
  }
  const runAs = usersOfGuests(parts);
  if (runAs) openTunToGuests(parts.log);
  return (await backends.qemu()).qemuBackend({
    ...parts,
    qemu,
    dir: join(parts.data, 'domains'),
    logDir: join(parts.data, 'log', 'guests'),
    acceleration: acceleration(process.env['GUESTHOUSE_ACCELERATION'] ?? 'auto'),
    runAs,
  });
}

function acceleration(wish: string): 'auto' | 'kvm' | 'tcg' {
  if (wish === 'auto' || wish === 'kvm' || wish === 'tcg') return wish;
  throw new GroundError(`GUESTHOUSE_ACCELERATION=${wish}: it is auto, kvm or tcg`);
}

/** Ids that no distribution gives to people or services; each guest takes one, so that none can touch another's files. */
const firstUid = 800_000;
const uidsNeeded = 65_536;

/** As root, guests run as users of their own. Without root they run as whoever started the toolstack. */
function usersOfGuests({ data, log }: GroundParts): { baseUid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  if (!isMapped(firstUid, uidsNeeded)) {
    log.warn('this container maps too few user ids: guests run as root of the container');
    return undefined;
  }
  for (let folder = data; folder !== '/'; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) !== 0) continue;
    throw new GroundError(
      `the folder ${folder} is closed to other users, and guests run as users of their own: choose another --data, or allow passing through with chmod o+x ${folder}`,
    );
  }
  return { baseUid: firstUid, gid: firstUid };
}

/** Whether this user namespace has all ids from `first` on, `count` of them. */
function isMapped(first: number, count: number): boolean {
  const lines = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n');
  return lines.some((line) => {
    const [start = 0, , size = 0] = line.trim().split(/\s+/).map(Number);
    return start <= first && start + size >= first + count;
  });
}

async function simulator({ clock, ids, log, data }: GroundParts): Promise<Backend> {
  const { simulatorBackend } = await backends.simulator();
  return simulatorBackend({
    clock,
    ids,
    log,
    persistFile: join(data, 'simulator.json'),
    consoleDir: join(data, 'run'),
  });
}
