/** Which ground guests run on: asked for by `--hypervisor`, or the best that this machine has. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Processes } from '../contracts/processes.ts';
import type { Backend } from '../xenops/backend.ts';
import { backends } from '../xenops/backends/index.ts';
import { withTextScreens } from './text-screens.ts';
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
  // Present in every domain of a Xen host that has xenfs.
  if (wish === 'xen' || (wish === 'auto' && existsSync('/proc/xen/capabilities'))) {
    const { isControlDomain } = await import('../xen/xen.ts');
    if (wish === 'xen' || isControlDomain()) return openOnXen(parts);
  }
  if (wish === 'simulator') return simulator(parts);
  const qemu = qemuPaths.find((path) => existsSync(path));
  if (!qemu) {
    throw new GroundError(
      'qemu-system-x86_64 was not found; install the package qemu-system-x86, or choose --hypervisor simulator',
    );
  }
  const { qemuBackend, decideUser } = await backends.qemu();
  const dir = join(parts.data, 'domains');
  mkdirSync(dir, { recursive: true, mode: 0o711 });
  const runAs = await decideUser(undefined, dir, parts.log);
  if (runAs) openTunToGuests(parts.log);
  const backend = qemuBackend({
    ...parts,
    qemu,
    dir,
    logDir: join(parts.data, 'log', 'guests'),
    acceleration: acceleration(process.env['GUESTHOUSE_ACCELERATION'] ?? 'auto'),
    runAs: runAs ?? null,
  });
  return withTextScreens(backend, { ...parts, dir: join(parts.data, 'screens') });
}

/** Where a Xen host's tools look for its store. */
const storeSocket = '/run/xenstored/socket';
/** How long a store may be away, while it is started anew. */
const storeAwayMs = 60_000;

async function openOnXen({ data, log, ...parts }: GroundParts): Promise<Backend> {
  const { connectStore } = await import('../xenstore/client.ts');
  const { requireControlDomain, XenUnavailable } = await import('../xen/xen.ts');
  const { xenBackend } = await backends.xen();
  const inWords = (cause: unknown) =>
    cause instanceof XenUnavailable ? new GroundError(`--hypervisor xen: ${cause.message}`, { cause }) : cause;
  try {
    requireControlDomain();
  } catch (error) {
    throw inWords(error);
  }
  const store = await connectStore(storeSocket, { reconnectMs: storeAwayMs }).catch((cause: unknown) => {
    throw new GroundError(`${String(cause)}: start bin/xenstored, which serves the store of a Xen host`, { cause });
  });
  const bare = xenBackend({ ...parts, log, store, dir: join(data, 'domains'), logDir: join(data, 'log', 'guests') });
  const backend = withTextScreens(bare, { ...parts, log, dir: join(data, 'screens') });
  return {
    ...backend,
    async open() {
      await backend.open().catch((cause: unknown) => {
        throw inWords(cause);
      });
    },
    async close() {
      await backend.close();
      await store.close();
    },
  };
}

function acceleration(wish: string): 'auto' | 'kvm' | 'tcg' {
  if (wish === 'auto' || wish === 'kvm' || wish === 'tcg') return wish;
  throw new GroundError(`GUESTHOUSE_ACCELERATION=${wish}: it is auto, kvm or tcg`);
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
