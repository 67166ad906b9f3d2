/** A ground of real QEMUs for tests: a supervisor, folders in /tmp, and the tiny guest. */

import { randomUUID } from 'node:crypto';
import { watch } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import type { Port } from '../../src/contracts/network.ts';
import type { OpenDisk } from '../../src/contracts/storage.ts';
import type { VmSpec } from '../../src/contracts/xenops.ts';
import { createSupervisor, type Supervisor } from '../../src/processes/index.ts';
import { runTool } from '../../src/storage/tool.ts';
import type { Backend } from '../../src/xenops/backend.ts';
import { type QemuOptions, qemuBackend } from '../../src/xenops/backends/qemu/index.ts';
import type { BackendBench } from '../conformance/backend.ts';
import { processesWith } from './host.ts';
import { tinyGuest } from './tiny-guest.ts';

const mib = 1 << 20;
export interface QemuBench extends BackendBench {
  readonly folder: string;
  readonly processes: Supervisor;
  /** Changes to the nth guest's description, for this bench. */
  with(changes: Partial<VmSpec>): void;
  consoleOf(vm: string): Promise<string>;
  /** Resolves when the guest's console says `text`. */
  says(vm: string, text: string): Promise<void>;
  /** Types on the guest's serial console. */
  type(vm: string, text: string): Promise<void>;
  pidOf(vm: string): Promise<number>;
  /** Processes whose command line names this bench's folder. */
  leftovers(): string[];
}

export async function qemuBench(changed: Partial<QemuOptions> = {}, log: Log = silentLog): Promise<QemuBench> {
  const folder = await mkdtemp(join(tmpdir(), 'guesthouse-live-'));
  await chmod(folder, 0o755);
  const processes = createSupervisor({
    folder: join(folder, 'processes'),
    version: 'test',
    log,
    onShutdown: () => undefined,
  });
  const options: QemuOptions = {
    processes,
    dir: join(folder, 'qemu'),
    logDir: join(folder, 'log'),
    clock: systemClock,
    log,
    // What the probe would find is another test's business.
    acceleration: 'tcg',
    ...changed,
  };
  const kernel = join(folder, 'tiny.elf');
  await writeFile(kernel, tinyGuest());
  const ids = new Map<number, string>();
  let extra: Partial<VmSpec> = {};
  let backend: Backend = qemuBackend(options);

  const idOf = (n: number) => {
    const id = ids.get(n) ?? `${String(n).padStart(8, '0')}${randomUUID().slice(8)}`;
    ids.set(n, id);
    return id;
  };
  const spec = (n: number): VmSpec => ({
    id: idOf(n),
    name: `guest ${n}, with "quotes"; and\n../ more`,
    domainType: 'pvh',
    boot: { kind: 'kernel', kernel, cmdline: '' },
    memory: { staticMax: 64 * mib, dynamicMax: 64 * mib, dynamicMin: 32 * mib },
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
    await chmod(path, 0o666);
    return { path, format: 'raw', readOnly: false };
  };
  const pidOf = async (vm: string) => {
    const all = await processes.process.list({});
    const found = all.find((p) => p.running && p.tags['vm'] === vm);
    if (!found) throw new Error(`no QEMU of ${vm}`);
    return found.pid;
  };
  const consolePath = (vm: string) => join(folder, 'qemu', vm, 'console.log');
  const consoleOf = (vm: string) => readFile(consolePath(vm), 'utf8');
  const says = (vm: string, text: string) =>
    new Promise<void>((resolve, reject) => {
      const finish = (error?: Error) => {
        clearTimeout(late);
        changes.close();
        if (error) reject(error);
        else resolve();
      };
      const look = () => void consoleOf(vm).then((said) => said.includes(text) && finish(), finish);
      const changes = watch(consolePath(vm), look);
      const late = setTimeout(
        () =>
          void consoleOf(vm).then(
            (said) => finish(new Error(`${vm} did not say "${text}"; its last words: ${said.slice(-600)}`)),
            finish,
          ),
        120_000,
      );
      look();
    });
  const type = async (vm: string, text: string) => {
    const path = (await backend.vm.observe(vm))?.consoles.find((c) => c.protocol === 'vt100')?.socket;
    await new Promise<void>((resolve, reject) => {
      const socket = connect(path ?? '', () => socket.end(text, () => resolve()));
      socket.on('error', reject).resume();
    });
  };
  const leftovers = () =>
    [...processesWith(folder)]
      .filter(([, line]) => line.includes('qemu-system'))
      .map(([pid, line]) => `${pid} ${line}`);
  return {
    folder,
    processes,
    get backend() {
      return backend;
    },
    with(changes) {
      extra = changes;
    },
    spec,
    disk: async (n, position) => {
      const id = `disk-${n}-${position}`;
      const disk = await file(id, 4 * mib);
      return { spec: { id, position, type: 'Disk', mode: 'RW', media: null }, disk };
    },
    cd: async (n, position) => {
      const id = `cd-${n}-${position}`;
      const disk = { ...(await file(id, mib)), readOnly: true };
      return { spec: { id, position, type: 'CD', mode: 'RO', media: null }, disk };
    },
    disc: async () => ({ ...(await file('disc', 2 * mib)), readOnly: true }),
    vif: async (n, position) => {
      const port: Port = { kind: 'user', forwards: [] };
      return {
        spec: { id: `vif-${n}-${position}`, position, mac: `52:54:00:00:0${n}:0${position}`, bridge: 'user' },
        port,
      };
    },
    async layer(on) {
      const path = join(folder, `layer-${randomUUID()}`);
      const over = on ? ['-b', on.path, '-F', on.format] : [];
      if (on) await runTool('qemu-img', ['create', '-q', '-f', 'qcow2', ...over, path]);
      if (on) await chmod(path, 0o666);
      return { path, format: 'qcow2', readOnly: false };
    },
    image: () => file('image', 0),
    ready: (vm) => says(vm, 'READY'),
    async end(vm, reason) {
      if (reason === 'killed') process.kill(await pidOf(vm), 'SIGKILL');
      else await type(vm, reason === 'poweroff' ? 'p' : reason === 'reboot' ? 'r' : 'c');
    },
    async again() {
      await backend.close();
      backend = qemuBackend(options);
      return backend;
    },
    consoleOf,
    says,
    type,
    pidOf,
    leftovers,
    async dispose() {
      await backend.close();
      for (const { id } of await processes.process.list({})) await processes.process.kill({ id });
      processes.leave();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
