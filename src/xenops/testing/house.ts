/** A domain manager over the simulator and in-memory neighbours, for tests. */
import { type Clock, ManualClock } from '../../base/clock.ts';
import { seededIds } from '../../base/ids.ts';
import { type Log, silentLog } from '../../base/log.ts';
import type { VbdSpec, VifSpec, VmSpec } from '../../contracts/xenops.ts';
import { type Disk, emptyDisk, openMemoryStore } from '../../store/memory.ts';
import { FaultList, type Simulator, SimWorld, simulatorBackend, type Wire } from '../backends/simulator/index.ts';
import { openXenops, type XenopsOptions, type XenopsServer } from '../server.ts';
import { type FakeNetwork, fakeNetwork } from './fake-network.ts';
import { type FakeStorage, fakeStorage } from './fake-storage.ts';

export interface TestHouse {
  readonly clock: ManualClock;
  readonly world: SimWorld;
  readonly faults: FaultList;
  readonly disk: Disk;
  storage: FakeStorage;
  network: FakeNetwork;
  xenops: XenopsServer;
  backend: Simulator;
  /** The domain manager is dead, as after kill -9, until `restart`. */
  kill(): void;
  /** Ends the domain manager without a word, as kill -9 does, and opens the next one over what is left. */
  restart(how?: 'kill' | 'close'): Promise<void>;
  /** How many domain managers died without closing. */
  deaths: number;
  /** The domain manager dies at its nth commit from now (from 1), before or after it is written. */
  dieAtCommit(n: number, how: 'crash' | 'crash-after'): void;
  /** Whether it has died so. */
  readonly dead: boolean;
  /** Resolves when the present domain manager has died. */
  death(): Promise<void>;
  /** What is held in the world: domains, open disks, ports. Empty when nothing runs. */
  held(): readonly string[];
  /** Snapshots that there are. */
  snapshots(): readonly string[];
  /** Drives whose guest writes where its disk is not any more, or where a snapshot lies: there must never be one at rest. */
  strayed(): readonly string[];
  /** Moves the clock by `ms`, in steps, letting all that is ready run in between. */
  advance(ms: number): Promise<void>;
  /** Moves the clock until the promise has settled; fails after a simulated day. */
  during<T>(promise: Promise<T>): Promise<T>;
}
export interface HouseOptions
  extends Partial<Pick<XenopsOptions, 'limits' | 'workers' | 'probe' | 'boot' | 'kernels' | 'hooks' | 'connect'>> {
  /** Of two hosts: each has its own, and both the same wires. */
  readonly host?: number;
  readonly wires?: Map<string, Wire>;
  readonly memoryBytes?: number;
  readonly log?: Log;
  /** Of several hosts in one time. */
  readonly clock?: ManualClock;
}

export async function testHouse(o: HouseOptions = {}): Promise<TestHouse> {
  const clock = o.clock ?? new ManualClock(1_700_000_000_000);
  const ids = seededIds(o.host ?? 1);
  const world = new SimWorld(String(o.host ?? 1));
  const faults = new FaultList();
  const disk = emptyDisk();
  /** The process of one domain manager: what it asks of its neighbours after its death is never done. */
  let process = living();
  let death: { left: number; how: 'crash' | 'crash-after' } | undefined;
  const dying = () => {
    if (!death || --death.left > 0) return undefined;
    process.dead = true;
    house.deaths++;
    house.backend.kill();
    process.died();
    return death.how;
  };
  const step = async (ms: number) => {
    await clock.advance(ms);
    await drain();
  };
  const open = async () => {
    process = living();
    death = undefined;
    const mine = process;
    const dead = () => mine.dead;
    const own = clockOf(clock, dead);
    const trouble = async (method: string) => {
      const fault = faults.faults(method, '');
      if (fault?.fault === 'fail') throw fault.error ?? new Error(`injected: ${method}`);
      if (fault?.fault === 'delay') await own.sleep(fault.ms);
      if (fault?.fault === 'hang' || dead()) await new Promise(() => undefined);
    };
    house.storage = fakeStorage({ trouble, disks: house.storage.disks });
    house.network = fakeNetwork({ trouble, ports: house.network.ports });
    house.backend = simulatorBackend({
      clock: own,
      ids,
      world,
      faults: faults.faults,
      memoryBytes: o.memoryBytes ?? 2 ** 36,
      ...(o.wires ? { wires: o.wires } : {}),
    });
    const store = openMemoryStore({ disk, fault: () => (dead() ? 'crash' : dying()) });
    const { memoryBytes: _, host: __, wires: ___, clock: ____, ...options } = o;
    house.xenops = await openXenops({
      backend: house.backend,
      store,
      storage: house.storage,
      network: house.network,
      clock: own,
      ids,
      log: silentLog,
      ...options,
    });
  };
  const house: TestHouse = {
    clock,
    world,
    faults,
    disk,
    storage: fakeStorage(),
    network: fakeNetwork(),
    // Both are there once `open` has run.
    xenops: undefined as unknown as XenopsServer,
    backend: undefined as unknown as Simulator,
    kill() {
      process.dead = true;
      house.backend.kill();
      process.died();
    },
    async restart(how = 'kill') {
      if (how === 'kill') house.kill();
      else {
        await house.during(Promise.race([house.xenops.close(), process.death]));
        // The store is closed after it, and that waits for what is being written.
        await drain();
        process.dead = true;
      }
      const opened = open();
      // It may die before it serves.
      await house.during(Promise.race([opened, process.death]));
    },
    dieAtCommit(left, how) {
      death = { left, how };
    },
    deaths: 0,
    death: () => process.death,
    get dead() {
      return process.dead;
    },
    held: () =>
      [
        ...[...world.domains.values()].map((d) => `domain ${d.vm} ${d.power}`),
        ...[...house.storage.disks.open.values()].map((u) => `disk ${u.vdi} ${u.user} ${u.mode}`),
        ...[...house.network.ports.keys()].map((port) => `port ${port}`),
      ].sort(),
    snapshots: () => [...house.storage.disks.snapshots.keys()].sort(),
    strayed: () => strayedDrives(world, house.storage),
    async advance(ms) {
      await drain();
      for (let left = ms, n = 0; left > 0; n++) {
        // Nothing is due: the rest passes at once.
        const by = clock.pending === 0 ? left : Math.min(left, n < 60 ? 1000 : 10_000);
        await step(by);
        left -= by;
      }
    },
    async during(promise) {
      let over = false;
      const done = () => {
        over = true;
      };
      promise.then(done, done);
      await drain();
      for (let i = 0; i < 24 * 360 && !over; i++) await step(i < 100 ? 1000 : 10_000);
      if (!over) throw new Error('still pending after a simulated day');
      return promise;
    },
  };
  await house.during(open());
  return house;
}

function strayedDrives(world: SimWorld, storage: FakeStorage): readonly string[] {
  const frozen = new Set(storage.disks.snapshots.values());
  return [...world.domains.values()].flatMap((d) =>
    [...d.vbds.values()].flatMap(({ spec: { id, mode, media }, path }) => {
      if (mode !== 'RW' || media?.kind !== 'vdi' || path === null) return [];
      const there = storage.pathOf(media.sr, media.vdi);
      if (frozen.has(path)) return [`${d.vm} ${id} writes to ${path}, which is a snapshot's`];
      return path === there ? [] : [`${d.vm} ${id} writes to ${path}, not to ${there}`];
    }),
  );
}
/** A process's view of the clock: its timers die with it. */
function clockOf(clock: ManualClock, dead: () => boolean): Clock {
  const after: Clock['after'] = (ms, f) => clock.after(ms, () => dead() || f());
  return {
    now: () => clock.now(),
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const stop = () => {
          cancel();
          reject(signal?.reason);
        };
        const cancel = after(ms, () => {
          signal?.removeEventListener('abort', stop);
          resolve();
        });
        signal?.addEventListener('abort', stop, { once: true });
      }),
  };
}
function living() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { dead: false, death: promise, died: resolve };
}
/** Lets everything run that waits for no time to pass. */
function drain(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The id of the nth test VM. */
export const vmId = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
const MiB = 2 ** 20;

/** A VM with a disk, a CD drive (empty) and an interface. */
export function testSpec(n: number, change: Partial<VmSpec> = {}): VmSpec {
  return {
    id: vmId(n),
    name: `vm ${n}`,
    domainType: 'hvm',
    boot: { kind: 'bios', order: 'cd' },
    memory: { staticMax: 256 * MiB, dynamicMax: 256 * MiB, dynamicMin: 128 * MiB },
    vcpus: { max: 4, current: 2 },
    onPoweroff: 'destroy',
    onReboot: 'restart',
    onCrash: 'restart',
    vbds: [testDisk(n, 0), { id: 'cd', position: 3, type: 'CD', mode: 'RO', media: null }],
    vifs: [testVif(n, 0)],
    platform: {},
    autostart: false,
    order: 0,
    startDelayS: 0,
    shutdownDelayS: 0,
    ...change,
  };
}
export function testDisk(n: number, position: number): VbdSpec {
  const media = { kind: 'vdi' as const, sr: 'sr', vdi: `vdi-${n}-${position}` };
  return { id: `disk${position}`, position, type: 'Disk', mode: 'RW', media };
}
export function testVif(n: number, position: number): VifSpec {
  const digits = [n >> 16, n >> 8, n, position].map((x) => (x & 0xff).toString(16).padStart(2, '0'));
  const mac = `02:00:${digits.join(':')}`;
  return { id: `vif${position}`, position, mac, bridge: 'br0' };
}
