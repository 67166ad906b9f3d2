/** Real guests: each a QEMU of its own, started through the supervisor and driven over QMP. */
import { bestEffort } from '../../../base/best-effort.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Log } from '../../../base/log.ts';
import type { Processes, ProcessInfo } from '../../../contracts/processes.ts';
import { type VmSpec, xenopsErrors } from '../../../contracts/xenops.ts';
import type { Backend, BackendEvent, Capability, Observed } from '../../backend.ts';
import { translationCacheMib } from './arguments.ts';
import { buildDomain } from './build.ts';
import { Domain } from './domain.ts';
import { Folders, type Owner } from './folder.ts';
import { type AccelerationChoice, createGround, type Ground } from './ground.ts';
import { kernelLog } from './kernel-log.ts';
import { checkSpec, machineFor } from './machine.ts';
import { describeGuest, listenForGuest, receiveGuest, sendGuest } from './migrate.ts';
import type { DomainNeeds, Patience } from './needs.ts';
import { readDevices } from './passthrough.ts';
import { pivotDrives } from './pivot.ts';
import { attachDrive, attachNic, changeDisc, detachDrive, detachNic } from './plug.ts';
import { QmpClosed, QmpError, QmpTimeout } from './qmp.ts';
import { asText, fromText } from './remembered.ts';
import {
  endGuest,
  freezeGuest,
  requestShutdown,
  sendKeys,
  setMemoryTarget,
  setVcpus,
  sleepGuest,
  thawGuest,
  wakeGuest,
} from './requests.ts';
import { restoreDomain, saveDomain } from './suspend.ts';
import { changeThrottle } from './throttle.ts';
import { isStrayTpm } from './tpm.ts';
import { decideUser, type RunAs } from './user.ts';

export type { AccelerationChoice } from './ground.ts';
export type { Patience } from './needs.ts';
export { decideUser, type RunAs } from './user.ts';

export interface QemuOptions {
  readonly processes: Processes;
  /** Absolute folder of the domains; with `runAs`, others must be able to enter it. */
  readonly dir: string;
  /** Absolute folder of `<vm>.qemu.log` and `<vm>.console.log`. */
  readonly logDir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** `auto` runs a piece of kernel code to find out. */
  readonly acceleration?: AccelerationChoice;
  /** The program; found in PATH when absent. */
  readonly qemu?: string;
  /** Who guests run as; absent or null: see `decideUser`. */
  readonly runAs?: RunAs | null | undefined;
  readonly patience?: Partial<Patience>;
}

const patience: Patience = {
  startMs: 30_000,
  commandMs: 20_000,
  askMs: 5_000,
  agentMs: 5_000,
  agentTellMs: 2_000,
  agentEagerMs: 5_000,
  agentIdleMs: 30_000,
  freezeMs: 30_000,
  sleepMs: 30_000,
  heartbeatMs: 5_000,
  silenceMs: 20_000,
  quitMs: 3_000,
  unplugMs: 10_000,
  forcedUnplugMs: 2_000,
};
const capabilities: readonly Capability[] = [
  ...(['hvm', 'pvh', 'uefi', 'suspend', 'balloon', 'vcpu-hotplug', 'vbd-hotplug', 'vif-hotplug'] as const),
  ...(['cd-change', 'vnc', 'serial', 'sysrq', 'trigger', 'sleep', 'wake', 'endGuest', 'messages'] as const),
  ...(['freeze', 'thaw', 'snapshot', 'tpm', 'live-migrate'] as const),
];
const mib = 1 << 20;

export function qemuBackend(options: QemuOptions): Backend {
  const { processes, clock, log } = options;
  const domains = new Map<string, Domain>();
  const listeners = new Set<(event: BackendEvent) => void>();
  const folders = new Folders(options.dir, options.logDir, log);
  const ownerOf = (domid: number): Owner | undefined =>
    runAs && { uid: runAs.baseUid + domid, gid: ground?.gid ?? runAs.gid };
  const needs: DomainNeeds = {
    folders,
    processes,
    clock,
    log,
    patience: { ...patience, ...options.patience },
    owner: ownerOf,
    emit: (event) => {
      for (const listener of [...listeners]) listener(event);
    },
  };
  let runAs: RunAs | undefined;
  let ground: Ground | undefined;
  let unwatch: (() => void) | undefined;
  const here = (): Ground => {
    if (!ground) throw xenopsErrors.make('Internal_error', { reason: 'the QEMU backend is not open' });
    return ground;
  };
  /** Does something with a domain, telling failures in this contract's words. */
  const on = async (vm: string, f: (it: Domain) => Promise<unknown>): Promise<void> => {
    const it = domain(vm);
    try {
      await f(it);
    } catch (error) {
      throw inWords(error, vm);
    }
  };
  const domain = (vm: string): Domain => {
    const found = domains.get(vm);
    if (!found) throw xenopsErrors.make('Does_not_exist', { what: 'domain', id: vm });
    return found;
  };

  async function open(): Promise<void> {
    await folders.open();
    runAs = await decideUser(options.runAs, options.dir, log);
    ground = await createGround({ ...options, runAs });
    unwatch = processes.watch(({ event, process }) => {
      if (event !== 'exited' || process.tags['kind'] !== 'guest') return;
      void [...domains.values()].find((it) => it.processId === process.id)?.processEnded(process);
    });
    const running = new Map((await processes.process.list({})).map((info) => [info.id, info]));
    const found = await folders.list();
    await Promise.all([...found].map(([vm, record]) => adopt(vm, record, running)));
    await endStrays(running);
  }
  async function adopt(vm: string, record: Domain['record'] | undefined, running: ReadonlyMap<string, ProcessInfo>) {
    if (!record) return folders.remove(vm); // its process, if any, is ended as a stray
    const it = new Domain(needs, record);
    domains.set(vm, it);
    await it.adopt(running.get(it.processId));
    log.info('found a domain', { vm, domid: record.domid, power: it.power, ...(it.end ?? {}) });
  }
  /** Guests' processes that belong to no domain: of an older life, or half-made beyond recognition. */
  async function endStrays(running: ReadonlyMap<string, ProcessInfo>): Promise<void> {
    const ours = new Set([...domains.values()].map((d) => d.processId));
    for (const info of running.values()) {
      const { id, tags, pid } = info;
      if (tags['kind'] === 'guest' ? ours.has(id) : !isStrayTpm(info, domains.values())) continue;
      log.warn('ending a process that belongs to no domain', { id, pid });
      await bestEffort('a stray QEMU', log, async () => {
        await processes.process.kill({ id });
        await processes.process.forget({ id });
      });
    }
  }
  async function create(spec: VmSpec, domid: number): Promise<void> {
    checkSpec(spec);
    if (domains.has(spec.id)) return;
    const { version, accelerator } = here();
    const it = new Domain(needs, {
      version: 1,
      spec,
      domid,
      phase: 'created',
      startedAt: Math.floor(clock.now() / 1000),
      machine: machineFor(spec, version, accelerator),
      drives: [],
      nics: [],
      vcpus: spec.vcpus.current,
      memoryTarget: spec.memory.staticMax,
      discs: {},
    });
    domains.set(spec.id, it);
    try {
      await folders.create(it.record, ownerOf(domid));
    } catch (error) {
      domains.delete(spec.id);
      throw error;
    }
  }
  async function destroy(vm: string): Promise<void> {
    const found = domains.get(vm);
    if (!found) return;
    await found.destroy();
    domains.delete(vm);
  }
  async function rename(from: string, to: string): Promise<void> {
    const found = domains.get(from);
    if (!found) return;
    if (domains.has(to)) throw xenopsErrors.make('Already_exists', { what: 'domain of', id: to });
    await found.rename(to);
    domains.delete(from);
    domains.set(to, found);
  }
  return {
    name: 'qemu',
    can: new Set(capabilities),
    open,
    async close() {
      unwatch?.();
      for (const it of domains.values()) it.release();
      domains.clear();
      await folders.close();
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    host: () => here().host(),
    observeAll: async () => [...domains.values()].map((d) => observed(d)),
    foreign: async () => [],
    owner: (vm) => (domains.has(vm) ? ownerOf(domain(vm).record.domid) : undefined),
    async forget(vm) {
      if (!domains.has(vm)) await folders.forget(vm);
    },
    overhead: (spec) => overheadOf(spec, ground?.accelerator),
    vm: {
      check: checkSpec,
      create,
      build: (spec) => on(spec.id, (it) => buildDomain(it, here(), spec.boot)),
      restore: (spec, image, call) => on(spec.id, (it) => restoreDomain(it, here(), image, call)),
      destroy,
      pause: (vm) => on(vm, (it) => it.execute('stop')),
      unpause: (vm) => on(vm, (it) => it.execute('cont')),
      requestShutdown: (vm, what) => on(vm, (it) => requestShutdown(it, what)),
      save: (vm, image, call) => on(vm, (it) => saveDomain(it, image, call)),
      setVcpus: (vm, count) => on(vm, (it) => setVcpus(it, count)),
      setMemoryTarget: (vm, bytes) => on(vm, (it) => setMemoryTarget(it, bytes)),
      sendKeys: (vm, kind, value) => on(vm, (it) => sendKeys(it, kind, value)),
      observe: async (vm) => {
        const found = domains.get(vm);
        return found && observed(found);
      },
    },
    guest: {
      sleep: (vm, call) => on(vm, (it) => sleepGuest(it, call)),
      wake: (vm) => on(vm, wakeGuest),
      endGuest: (vm, how) => on(vm, (it) => endGuest(it, how)),
      freeze: (vm, call) => on(vm, (it) => freezeGuest(it, call)),
      thaw: (vm) => on(vm, thawGuest),
    },
    devices: () => readDevices(),
    firmware: {
      read: async (vm) => asText(await folders.remembered(vm)),
      write: (vm, state) => folders.remember(vm, fromText(state)),
    },
    hypervisor: {
      async messages(clear) {
        const what = "clearing the kernel's messages, which are not ours alone";
        if (clear) throw xenopsErrors.make('Unimplemented', { function: what, backend: 'qemu' });
        return kernelLog();
      },
    },
    migration: {
      describe: async (vm) => describeGuest(domain(vm)),
      listen: async (vm, about) => {
        await on(vm, (it) => listenForGuest(it, here(), about));
        return folders.paths(vm).stream;
      },
      receive: (spec, _address, call) => on(spec.id, (it) => receiveGuest(it, call)),
      send: (vm, address, live, call) => on(vm, (it) => sendGuest(it, address, live, call)),
      rename,
    },
    vbd: {
      attach: (vm, a) => on(vm, (it) => attachDrive(it, a)),
      detach: async (vm, id, force) => {
        if (domains.has(vm)) await on(vm, (it) => detachDrive(it, id, force));
      },
      change: (vm, id, disk) => on(vm, (it) => changeDisc(it, id, disk)),
      pivot: (vm, layers) => on(vm, (it) => pivotDrives(it, layers)),
      limit: (vm, id, qos) => on(vm, (it) => changeThrottle(it, id, qos)),
    },
    vif: {
      attach: (vm, a) => on(vm, (it) => attachNic(it, a)),
      detach: async (vm, id, force) => {
        if (domains.has(vm)) await on(vm, (it) => detachNic(it, id, force));
      },
    },
  };
}

function inWords(error: unknown, vm: string): unknown {
  if (error instanceof QmpTimeout)
    return xenopsErrors.make(
      'Internal_error',
      { reason: `the QEMU of ${vm} is silent: ${error.message}` },
      { cause: error },
    );
  if (error instanceof QmpError || error instanceof QmpClosed)
    return xenopsErrors.make('Internal_error', { reason: `the QEMU of ${vm}: ${error.message}` }, { cause: error });
  return error;
}

function observed(domain: Domain): Observed {
  const { record, power, end } = domain;
  const live = domain.built && power !== 'ended';
  return {
    vm: domain.vm,
    domid: record.domid,
    power,
    ...(end ? { end } : {}),
    startedAt: record.startedAt,
    memoryTarget: record.memoryTarget,
    memoryActual: live ? domain.actual : 0,
    vcpus: record.vcpus,
    accelerator: record.machine.accelerator,
    consoles: live ? consolesOf(domain) : [],
    vbds: record.drives.filter((d) => !d.cut).map((d) => d.spec.id),
    vifs: record.nics.filter((n) => !n.cut).map((n) => n.spec.id),
    timeOffsetS: record.timeOffsetS,
    guest: live ? domain.agent?.report : undefined,
    discs: record.discs,
  };
}
/** A machine without a graphics card has no screen to show. */
function consolesOf({ vm, record, needs }: Domain): Observed['consoles'] {
  const paths = needs.folders.paths(vm);
  const serial = { protocol: 'vt100', socket: paths.console } as const;
  return record.machine.vga === 'none' ? [serial] : [serial, { protocol: 'rfb', socket: paths.vnc }];
}
/** QEMU itself, its video memory, its page tables for the guest, and translated code where it emulates. */
function overheadOf(spec: VmSpec, accelerator: string | undefined): number {
  const translation = accelerator === 'kvm' ? 0 : translationCacheMib * mib;
  return 48 * mib + translation + spec.vcpus.max * mib + Math.ceil(spec.memory.staticMax / 512);
}
