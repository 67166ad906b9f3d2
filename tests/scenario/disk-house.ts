/** A host in this process with real storage in a new folder, the simulator as ground and networks in memory: for disks and seeds. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openGround } from '../../src/apps/ground.ts';
import { type GuestImage, openHouse, type RunningHouse } from '../../src/apps/join.ts';
import { systemClock } from '../../src/base/clock.ts';
import { randomIds } from '../../src/base/ids.ts';
import { type Log, logTo } from '../../src/base/log.ts';
import type { Network, NetworkSpec } from '../../src/contracts/network.ts';
import { networkErrors } from '../../src/contracts/network.ts';
import type { Processes } from '../../src/contracts/processes.ts';
import { emptyDisk, openMemoryStore } from '../../src/store/memory.ts';
import { fakeNetwork } from '../../src/xenops/testing/fake-network.ts';

type Interface = Awaited<ReturnType<Network['interface']['list']>>[number];
/** The world that survives a restart of the house, and what a test may change in it. */
export interface World {
  readonly networks: Map<string, NetworkSpec>;
  interfaces: Interface[];
  /** Kinds that this host can do. */
  kinds: string[];
  forwards: Parameters<Network['forward']['set']>[0][];
  guest: GuestImage;
}
export const iface = (name: string, more: Partial<Interface> = {}): Interface => ({
  name,
  mac: '02:00:00:00:00:01',
  mtu: 1500,
  up: true,
  carrier: true,
  physical: true,
  addresses: [],
  bridge: null,
  ...more,
});

function networkOf(world: World): Network & { close(): Promise<void> } {
  const base = fakeNetwork();
  return {
    ...base,
    network: {
      async ensure(spec) {
        if (!world.kinds.includes(spec.kind))
          throw networkErrors.make('Not_possible', { kind: spec.kind, reason: 'the test says so' });
        world.networks.set(spec.bridge, spec);
        const subnet = spec.kind === 'nat' ? (spec.subnet ?? '10.87.0.1/24') : null;
        return { bridge: spec.bridge, kind: spec.kind, subnet, up: true, ports: [] };
      },
      async remove({ bridge }) {
        if (!world.networks.delete(bridge)) throw networkErrors.make('Does_not_exist', { what: 'network', id: bridge });
      },
      list: base.network.list,
      capabilities: async () =>
        ['nat', 'internal', 'bridge', 'user'].map((kind) => ({
          kind,
          possible: world.kinds.includes(kind),
          reason: world.kinds.includes(kind) ? '' : 'the test says so',
        })),
    },
    forward: {
      set: async (f) => {
        world.forwards.push(f);
      },
      list: base.forward.list,
    },
    interface: { list: async () => world.interfaces },
    close: async () => undefined,
  };
}

export interface DiskHouse extends AsyncDisposable {
  readonly data: string;
  readonly world: World;
  readonly url: string;
  readonly running: RunningHouse;
  /** Calls the API as root. */
  root<T = string>(method: string, ...params: unknown[]): Promise<T>;
  restart(): Promise<void>;
}

export async function diskHouse(world: Partial<World> = {}): Promise<DiskHouse> {
  const data = mkdtempSync(join(tmpdir(), 'gh-disks-'));
  mkdirSync(join(data, 'run'));
  const w: World = {
    networks: new Map(),
    interfaces: [],
    kinds: ['nat', 'internal', 'bridge', 'user'],
    forwards: [],
    guest: { kernel: '/somewhere/vmlinux', ramdisk: '/somewhere/initramfs', cmdline: 'console=ttyS0' },
    ...world,
  };
  const disk = emptyDisk();
  const log: Log = logTo((level, message, fields) => {
    if (level === 'error') console.error(message, fields);
  });
  const open = async (): Promise<RunningHouse> => {
    const ground = { processes: {} as Processes, data, clock: systemClock, ids: randomIds, log };
    return openHouse({
      data,
      store: openMemoryStore({ disk }),
      backend: await openGround('simulator', ground),
      processes: {} as Processes,
      network: networkOf(w),
      log,
      version: '0.0.0',
      listen: { tcp: { host: '127.0.0.1', port: 0 } },
      authenticate: async (user, given) => {
        return user === 'root' && given === 'secret' ? { user, superuser: true, roles: [] } : undefined;
      },
      changePassword: async () => undefined,
      url: 'https://localhost',
      address: '127.0.0.1',
      guest: w.guest,
      loginDelayMs: 10,
    });
  };
  let running = await open();
  return {
    data,
    world: w,
    get running() {
      return running;
    },
    get url() {
      return `http://127.0.0.1:${running.api.listening.tcp?.port}`;
    },
    root: async <T>(method: string, ...params: unknown[]) => (await running.root(method, ...params)) as T,
    async restart() {
      await running.close();
      running = await open();
    },
    async [Symbol.asyncDispose]() {
      await running.close();
      rmSync(data, { recursive: true, force: true });
    },
  };
}
