/** A ground of real Xen domains for tests, in dom0: folders in /tmp, a bridge of its own, and Tiny Linux. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, watch } from 'node:fs';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import type { OpenDisk } from '../../src/contracts/storage.ts';
import type { VmSpec } from '../../src/contracts/xenops.ts';
import type { Store } from '../../src/contracts/xenstore.ts';
import { createSupervisor } from '../../src/processes/index.ts';
import { isControlDomain, openXen, type Xen } from '../../src/xen/xen.ts';
import type { Backend } from '../../src/xenops/backend.ts';
import { type XenOptions, xenBackend } from '../../src/xenops/backends/xen/index.ts';
import { connectStore } from '../../src/xenstore/client.ts';
import type { BackendBench } from '../conformance/backend.ts';

const mib = 1 << 20;
const socket = '/run/xenstored/socket';
const guestDir = process.env['GUESTHOUSE_GUEST'] ?? join(import.meta.dirname, '..', '..', 'build', 'guest');

/** Why tests on Xen cannot run here; undefined when they can. */
export function withoutXen(): string | undefined {
  if (!isControlDomain()) return 'this is not the control domain of a Xen host: see docs/xen.md for one in a box';
  if (!existsSync(socket)) return `no xenstored serves ${socket}`;
  if (!existsSync(join(guestDir, 'manifest.json'))) return `there is no guest in ${guestDir}: run scripts/setup`;
  return undefined;
}

export interface XenBench extends BackendBench {
  readonly folder: string;
  readonly store: Store;
  readonly xen: Xen;
  readonly bridge: string;
  with(changes: Partial<VmSpec>): void;
  consoleOf(vm: string): Promise<string>;
  /** Resolves when the guest's console has said `text`, `times` times. */
  says(vm: string, text: string, times?: number): Promise<void>;
  type(vm: string, text: string): Promise<void>;
  file(name: string, bytes: number): Promise<OpenDisk>;
}

export async function xenBench(
  type: 'pv' | 'pvh',
  changed: Partial<XenOptions> = {},
  log: Log = silentLog,
): Promise<XenBench> {
  const folder = await mkdtemp(join(tmpdir(), 'gh-xen-'));
  const store = await connectStore(socket);
  const xen = openXen();
  const processes = createSupervisor({
    folder: join(folder, 'processes'),
    version: 'test',
    log,
    onShutdown: () => undefined,
  });
  const bridge = `xt${folder.slice(-6).toLowerCase()}`;
  execFileSync('/sbin/ip', ['link', 'add', bridge, 'type', 'bridge']);
  execFileSync('/sbin/ip', ['link', 'set', bridge, 'up']);
  const logDir = join(folder, 'log');
  const options: XenOptions = {
    ...{ store, processes, logDir, log },
    dir: join(folder, 'domains'),
    clock: systemClock,
    ...changed,
  };
  const manifest = JSON.parse(readFileSync(join(guestDir, 'manifest.json'), 'utf8')) as Record<string, string>;
  const made = new Set<string>();
  const ids = new Map<number, string>();
  // Numbers that no domain of this boot has had: a domain that is dying keeps its own for a while.
  const firstDomid = 100 + Math.floor(Math.random() * 30_000);
  let extra: Partial<VmSpec> = {};
  let backend: Backend = xenBackend(options);

  const idOf = (n: number) => {
    const id = ids.get(n) ?? `${String(n).padStart(8, '0')}${randomUUID().slice(8)}`;
    ids.set(n, id);
    made.add(id);
    return id;
  };
  const spec = (n: number): VmSpec => ({
    id: idOf(n),
    name: `guest ${n}, with "quotes"; and\n../ more`,
    domainType: type,
    boot: {
      kind: 'kernel',
      kernel: join(guestDir, manifest['kernel'] ?? ''),
      ramdisk: join(guestDir, manifest['ramdisk'] ?? ''),
      cmdline: manifest['cmdline'] ?? '',
    },
    memory: { staticMax: 128 * mib, dynamicMax: 128 * mib, dynamicMin: 96 * mib },
    vcpus: { max: 2, current: 1 },
    onPoweroff: 'destroy',
    onReboot: 'restart',
    onCrash: 'destroy',
    vbds: [],
    vifs: [],
    platform: {},
    autostart: false,
    order: 0,
    startDelayS: 0,
    shutdownDelayS: 0,
    ...extra,
  });
  const file = async (name: string, bytes: number): Promise<OpenDisk> => {
    const path = join(folder, name);
    await writeFile(path, '');
    await truncate(path, bytes);
    return { path, format: 'raw', readOnly: false };
  };
  const consolePath = (vm: string) => join(logDir, `${vm}.console.log`);
  const consoleOf = (vm: string) => readFile(consolePath(vm), 'utf8');
  const says = (vm: string, text: string, times = 1) =>
    new Promise<void>((resolve, reject) => {
      const finish = (error?: Error) => {
        clearTimeout(late);
        changes.close();
        if (error) reject(error);
        else resolve();
      };
      const look = () => void consoleOf(vm).then((said) => said.split(text).length > times && finish(), finish);
      const changes = watch(consolePath(vm), look);
      const last = (said: string) =>
        finish(new Error(`${vm} did not say "${text}"; its last words: ${said.slice(-900)}`));
      const late = setTimeout(() => void consoleOf(vm).then(last, finish), 240_000);
      look();
    });
  const typeOn = async (vm: string, text: string) => {
    const path = (await backend.vm.observe(vm))?.consoles.find((c) => c.protocol === 'vt100')?.socket;
    await new Promise<void>((resolve, reject) => {
      const line = connect(path ?? '', () => line.end(text, () => resolve()));
      line.on('error', reject).resume();
    });
  };
  const typed = { poweroff: 'poweroff', reboot: 'reboot', crash: 'echo c > /proc/sysrq-trigger' };
  const domidOf = (vm: string) => xen.domains.list().find((d) => d.uuid === vm)?.domid;
  return {
    folder,
    store,
    xen,
    bridge,
    get backend() {
      return shifted(backend, firstDomid);
    },
    with(changes) {
      extra = changes;
    },
    spec,
    file,
    disk: async (n, position) => {
      const id = `disk-${n}-${position}`;
      return { spec: { id, position, type: 'Disk', mode: 'RW', media: null }, disk: await file(id, 4 * mib) };
    },
    cd: async (n, position) => {
      const id = `cd-${n}-${position}`;
      const disk = { ...(await file(id, mib)), readOnly: true };
      return { spec: { id, position, type: 'CD', mode: 'RO', media: null }, disk };
    },
    disc: async () => ({ ...(await file('disc', 2 * mib)), readOnly: true }),
    vif: async (n, position) => ({
      spec: { id: `vif-${n}-${position}`, position, mac: `52:54:00:00:0${n}:0${position}`, bridge },
      port: { kind: 'tap', ifname: 'none' },
    }),
    image: () => file('image', 0),
    ready: (vm) => says(vm, 'READY'),
    async end(vm, reason) {
      const domid = domidOf(vm);
      if (reason === 'killed') await xen.destroy(domid ?? -1);
      else await typeOn(vm, `${typed[reason]}\n`);
    },
    async again() {
      await backend.close();
      backend = xenBackend(options);
      return shifted(backend, firstDomid);
    },
    consoleOf,
    says,
    type: typeOn,
    async dispose() {
      for (const vm of made) await backend.vm.destroy(vm).catch((error: unknown) => console.error(vm, error));
      await backend.close();
      for (const { id } of await processes.process.list({})) await processes.process.kill({ id });
      processes.leave();
      xen.close();
      await store.close();
      execFileSync('/sbin/ip', ['link', 'del', bridge]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The same backend with domain numbers from `first`: the suite counts from 1, and those numbers may be others' here. */
function shifted(backend: Backend, first: number): Backend {
  const down = <T extends { domid: number }>(seen: T): T => ({ ...seen, domid: seen.domid - first });
  return {
    ...backend,
    observeAll: async () => (await backend.observeAll()).map(down),
    vm: {
      ...backend.vm,
      create: (spec, domid) => backend.vm.create(spec, first + domid),
      async observe(vm) {
        const seen = await backend.vm.observe(vm);
        return seen && down(seen);
      },
    },
  };
}
