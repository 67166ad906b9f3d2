/** Real domains on Xen, through its libraries and the store: nothing of its other toolstacks is needed. */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { bestEffort } from '../../../base/best-effort.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Log } from '../../../base/log.ts';
import type { Processes } from '../../../contracts/processes.ts';
import { type VmSpec, xenopsErrors } from '../../../contracts/xenops.ts';
import type { Store } from '../../../contracts/xenstore.ts';
import type { HostInfo } from '../../../xen/libxenctrl.ts';
import { openXen, type Xen } from '../../../xen/xen.ts';
import type { Backend, BackendEvent, Capability, Observed } from '../../backend.ts';
import { buildDomain, introduceAgain } from './build.ts';
import { checkSpec } from './check.ts';
import { openConsole } from './console.ts';
import { createDomain, destroyDomain, pagingMib, slackOf } from './create.ts';
import { Domain, type DomainNeeds, type Patience } from './domain.ts';
import { attachDrive, changeDisc, detachDrive } from './drive.ts';
import { watchEmulators } from './emulator.ts';
import { watchEnds } from './ends.ts';
import { Folders } from './folder.ts';
import { GuestKeys } from './guest-keys.ts';
import { screenOf } from './machine.ts';
import { Streams } from './migrate.ts';
import { attachNic, detachNic, interfaceName } from './nic.ts';
import { putControlDomainFirst } from './priority.ts';
import * as rare from './rare.ts';
import type { DomainRecord } from './record.ts';
import { mendNames, renameDomain } from './rename.ts';
import { requestShutdown, sendKeys, setMemoryTarget, setVcpus } from './requests.ts';
import { domainPath } from './store-layout.ts';
import { goOn, restoreDomain, saveDomain } from './suspend.ts';
import { dropHalfMade } from './teardown.ts';

export type { Patience } from './domain.ts';

export interface XenOptions {
  readonly store: Store;
  readonly processes: Processes;
  /** Absolute folder of the domains. */
  readonly dir: string;
  /** Absolute folder of `<vm>.console.log` and `<vm>.qemu.log`. */
  readonly logDir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The hypervisor; this host's when absent. */
  readonly xen?: Xen;
  /** The emulator that serves qcow2 disks; Debian's when absent. */
  readonly qemu?: string;
  readonly patience?: Partial<Patience>;
}

const patience: Patience = {
  backendMs: 20_000,
  unplugMs: 20_000,
  teardownMs: 10_000,
  acknowledgeMs: 45_000,
  suspendMs: 60_000,
  lookMs: 5_000,
  sleepMs: 30_000,
  scriptMs: 600_000,
};
const capabilities: readonly Capability[] = [
  ...([
    'suspend',
    'vcpu-hotplug',
    'balloon',
    'vbd-hotplug',
    'vif-hotplug',
    'cd-change',
    'serial',
    'sysrq',
    'trigger',
    'endGuest',
    'runScript',
    'requestRdp',
    'messages',
    'sendDebugKeys',
  ] as const),
];
const mib = 1 << 20;
const defaultQemu = '/usr/libexec/xen-qemu-system-i386';

export function xenBackend(options: XenOptions): Backend {
  const { store, processes, clock, log } = options;
  const domains = new Map<string, Domain>();
  const listeners = new Set<(event: BackendEvent) => void>();
  const folders = new Folders(options.dir, options.logDir, log);
  const can = new Set<Capability>(capabilities);
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  const streams = new Streams();
  let needs: DomainNeeds | undefined;
  let ground: HostInfo | undefined;
  let guests: GuestKeys | undefined;
  let unwatch: (() => Promise<void>) | undefined;

  const here = (): DomainNeeds => {
    if (!needs) throw xenopsErrors.make('Internal_error', { reason: 'the Xen backend is not open' });
    return needs;
  };
  const domain = (vm: string): Domain => {
    const found = domains.get(vm);
    if (!found) throw xenopsErrors.make('Does_not_exist', { what: 'domain', id: vm });
    return found;
  };
  const check = (spec: VmSpec) => checkSpec(spec, ground);

  async function open(): Promise<void> {
    await folders.open();
    const xen = options.xen ?? openXen();
    ground = xen.domains.host();
    await putControlDomainFirst(xen, log);
    if (ground.pv) can.add('pv');
    if (ground.hvm) can.add('live-migrate');
    if (ground.hvm) for (const each of ['pvh', 'hvm', 'vnc', 'sleep', 'wake', 'setShadow'] as const) can.add(each);
    needs = {
      ...{ xen, store, processes, folders, clock, log },
      patience: { ...patience, ...options.patience },
      qemu: options.qemu ?? defaultQemu,
      emit: (event) => {
        guests?.look(event.vm);
        for (const listener of [...listeners]) listener(event);
      },
    };
    guests = new GuestKeys(needs, domains);
    for (const [vm, record] of await mendNames(needs, await folders.list())) await adopt(vm, record);
    const deaf = watchEmulators(needs, domains);
    const blind = await watchEnds(needs, domains);
    unwatch = () => {
      deaf();
      return blind();
    };
  }
  /** A domain that an earlier toolstack made. */
  async function adopt(vm: string, record: DomainRecord | undefined): Promise<void> {
    const found = record && record.boot === boot ? new Domain(here(), record) : undefined;
    const info = found?.info();
    if (!found || (!found.built && !(info && found.record.ports.store))) {
      log.info('what is left of a domain goes', { vm, domid: record?.domid });
      if (record) await destroyDomain(new Domain(here(), record));
      else await folders.remove(vm);
      return;
    }
    domains.set(vm, found);
    // What ended meanwhile is news for nobody: whoever opens looks.
    const end = found.endOf(info);
    if (end) await found.update({ end });
    else await dropHalfMade(found);
    if (!end && found.built) {
      await bestEffort('a guest without a store', log, () => introduceAgain(found));
      found.console = openConsole(found);
    }
    guests?.look(vm);
    log.info('found a domain', { vm, domid: record?.domid, power: found.power(info), ...(end ?? {}) });
  }
  async function create(spec: VmSpec, domid: number): Promise<void> {
    check(spec);
    if (domains.has(spec.id)) return;
    domains.set(spec.id, await createDomain(here(), spec, domid, boot));
  }
  async function destroy(vm: string): Promise<void> {
    const found = domains.get(vm);
    if (!found) return;
    await streams.end(found);
    guests?.drop(vm);
    await destroyDomain(found);
    domains.delete(vm);
  }
  async function pause(vm: string): Promise<void> {
    const it = domain(vm);
    // The hypervisor counts pauses: one is enough.
    if (!it.live().paused) here().xen.domains.pause(it.domid);
    it.changed();
  }
  async function unpause(vm: string): Promise<void> {
    const it = domain(vm);
    it.live();
    await goOn(it);
    if (it.live().paused) here().xen.domains.unpause(it.domid);
    it.changed();
  }
  return {
    name: 'xen',
    can,
    open,
    async close() {
      await bestEffort('the watch of ends', log, () => unwatch?.());
      await guests?.close();
      for (const it of domains.values()) it.console?.close();
      domains.clear();
      if (!options.xen) needs?.xen.close();
      needs = undefined;
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async host() {
      const { xen } = here();
      const { cpus: count, memoryTotal, memoryFree } = xen.domains.host();
      const cpuModel = cpus()[0]?.model ?? '';
      return { version: xen.version, accelerator: 'xen', cpus: count, cpuModel, memoryTotal, memoryFree };
    },
    observeAll: async () => [...domains.values()].map((d) => observed(d, guests)),
    foreign: () => foreign(here(), domains),
    owner: () => undefined,
    async forget(vm) {
      if (!domains.has(vm)) await folders.forget(vm);
    },
    overhead: (spec) => slackOf(spec) + (spec.domainType === 'pv' ? 0 : pagingMib(spec) * mib),
    vm: {
      check,
      create,
      build: (spec) => buildDomain(domain(spec.id), spec.boot),
      restore: (spec, image) => restoreDomain(domain(spec.id), image),
      destroy,
      pause,
      unpause,
      requestShutdown: (vm, what) => requestShutdown(domain(vm), what),
      save: (vm, image, call) => saveDomain(domain(vm), image, call),
      setVcpus: (vm, count) => setVcpus(domain(vm), count),
      setMemoryTarget: (vm, bytes) => setMemoryTarget(domain(vm), bytes),
      sendKeys: (vm, kind, value) => sendKeys(domain(vm), kind, value),
      observe: async (vm) => {
        const found = domains.get(vm);
        return found && observed(found, guests);
      },
    },
    guest: {
      sleep: (vm, call) => rare.sleepGuest(domain(vm), call),
      wake: (vm) => rare.wakeGuest(domain(vm)),
      setShadow: (vm, multiplier) => rare.setShadow(domain(vm), multiplier),
      endGuest: (vm, how) => rare.endGuest(domain(vm), how),
      runScript: (vm, script, call) => rare.runScript(domain(vm), script, call),
      requestRdp: (vm, enabled) => rare.requestRdp(domain(vm), enabled),
    },
    hypervisor: {
      messages: async (clear) => here().xen.domains.messages(clear),
      sendDebugKeys: async (keys) => here().xen.domains.sendDebugKeys(keys),
    },
    migration: {
      describe: async () => '', // its stream says it
      listen: (vm) => streams.listen(domain(vm)),
      receive: (spec, address, call) => streams.receive(domain(spec.id), address, call),
      send: (vm, address, live, call) => streams.send(domain(vm), address, live, call),
      rename: async (from, to) => {
        const found = domains.get(from);
        if (!found) return;
        if (domains.has(to)) throw xenopsErrors.make('Already_exists', { what: 'domain of', id: to });
        domains.set(to, await renameDomain(found, to));
        domains.delete(from);
        guests?.drop(from);
        domains.get(to)?.changed();
      },
    },
    vbd: {
      attach: (vm, a) => attachDrive(domain(vm), a),
      detach: async (vm, id, force) => {
        if (domains.has(vm)) await detachDrive(domain(vm), id, force);
      },
      change: (vm, id, disk) => changeDisc(domain(vm), id, disk),
    },
    vif: {
      attach: (vm, a) => attachNic(domain(vm), a),
      detach: async (vm, id, force) => {
        if (domains.has(vm)) await detachNic(domain(vm), id, force);
      },
      // The machine of an HVM guest has the tap itself.
      carrier: (vm, { position }) => {
        const it = domains.get(vm)?.record;
        return it && it.spec.domainType !== 'hvm' ? interfaceName(it.domid, position) : undefined;
      },
    },
  };
}

function observed(domain: Domain, guests: GuestKeys | undefined): Observed {
  const { record } = domain;
  const info = domain.info();
  const end = domain.endOf(info);
  return {
    vm: domain.vm,
    domid: record.domid,
    power: domain.power(info),
    ...(end ? { end } : {}),
    startedAt: record.startedAt,
    memoryTarget: record.memoryTarget,
    memoryActual: info && !end ? info.memory : 0,
    vcpus: record.vcpus,
    accelerator: record.spec.domainType,
    consoles: domain.built && !end ? consolesOf(domain) : [],
    vbds: record.drives.map((d) => d.spec.id),
    vifs: record.nics.map((n) => n.spec.id),
    guest: end ? undefined : guests?.reportOf(domain.vm),
    discs: record.discs,
  };
}
function consolesOf({ record, needs, vm }: Domain): Observed['consoles'] {
  const { console, vnc } = needs.folders.paths(vm);
  const serial = { protocol: 'vt100', socket: console } as const;
  const { spec } = record;
  return spec.domainType === 'hvm' && screenOf(spec) !== 'none' ? [serial, { protocol: 'rfb', socket: vnc }] : [serial];
}
/** Domains of others, and dom0. */
async function foreign({ xen, store, log }: DomainNeeds, ours: ReadonlyMap<string, Domain>) {
  const others = xen.domains.list().filter((d) => ours.get(d.uuid)?.domid !== d.domid);
  return Promise.all(
    others.map(async ({ domid, paused, memory, vcpus }) => {
      const path = `${domainPath(domid)}/name`;
      const name = await bestEffort('a domain without a name', log, () => store.find(path));
      return { domid, name: name ?? `Domain-${domid}`, power: paused ? 'Paused' : 'Running', memory, vcpus } as const;
    }),
  );
}
