/**
 * A hypervisor that is not there: guests are rows of data that react as guests do. Thousands of them cost nothing while
 * nothing happens, and with an injected clock, ids and faults a seed replays a run.
 *
 *     create ──▶ paused, not built ──build/restore──▶ paused ◀──pause/unpause──▶ running ──(guest)──▶ ended
 *                      └──────────────── destroy ───────┴──────────────────────────┴──────────────────┘
 *
 * A guest's `platform` may say how it behaves: `sim:shutdown` = `ignore`, `lose-first` (the first request comes too early for
 * it), or a delay in ms before it reacts to a request; `sim:agent` = `true`: it has an agent.
 */
import { join } from 'node:path';
import { silentLog } from '../../../base/log.ts';
import { type VmSpec, xenopsErrors } from '../../../contracts/xenops.ts';
import type { Backend, BackendEvent, Capability, DomainEnd, Observed } from '../../backend.ts';
import { Consoles } from './consoles.ts';
import { checkDevices, simulatedDevices } from './devices.ts';
import { type Faults, noFaults } from './faults.ts';
import { countStart, firmwareVerbs } from './firmware.ts';
import { Moves } from './moves.ts';
import { observed } from './observed.ts';
import type { Simulator, SimulatorOptions } from './options.ts';
import { rareCapabilities, rareVerbs } from './rare.ts';
import { Screen } from './screen.ts';
import { drivesOf, FileWorld, type SimDomain, SimWorld } from './world.ts';

export { type Fault, FaultList, type Faults, seededRandom } from './faults.ts';
export type { Wire } from './moves.ts';
export type { Simulator, SimulatorOptions } from './options.ts';
export { SimWorld } from './world.ts';

const can: readonly Capability[] = [
  ...(['hvm', 'pv', 'pvh', 'uefi', 'suspend', 'balloon', 'vcpu-hotplug', 'vbd-hotplug', 'vif-hotplug'] as const),
  ...(['cd-change', 'snapshot', 'sysrq', 'trigger', 'bootloader', 'live-migrate', 'tpm'] as const),
  ...rareCapabilities,
];

export function simulatorBackend(o: SimulatorOptions): Simulator {
  return new SimulatedHost(o);
}

class SimulatedHost implements Simulator {
  readonly name = 'simulator';
  readonly can: ReadonlySet<Capability>;
  readonly restartWindowS = 0;
  readonly world: SimWorld;
  readonly #o: SimulatorOptions;
  readonly #faults: Faults;
  readonly #listeners = new Set<(event: BackendEvent) => void>();
  readonly #consoles: Consoles | undefined;
  readonly #screen: Screen | undefined;
  /** Guests that were asked to end. */
  readonly #asked = new WeakSet<SimDomain>();
  readonly #moves: Moves;
  #dead = false;

  constructor(o: SimulatorOptions) {
    this.#o = o;
    this.#faults = o.faults ?? noFaults;
    this.world = o.world ?? (o.persistFile === undefined ? new SimWorld() : new FileWorld(o.persistFile));
    this.firmware = firmwareVerbs(this.world);
    this.#moves = new Moves(this.world, o.ids, o.wires ?? o.consoleDir);
    this.can = new Set([...can, ...(o.consoleDir === undefined ? [] : (['serial', 'vnc'] as const))]);
    if (o.consoleDir !== undefined) {
      this.#consoles = new Consoles(o.consoleDir, o.clock, o.bootDelayMs ?? 0, (vm, end) => this.endGuest(vm, end));
      this.#screen = new Screen(join(o.consoleDir, 'sim-screen'));
    }
  }

  async open(): Promise<void> {
    await this.#screen?.open();
    for (const domain of this.world.domains.values()) if (domain.built) await this.#consoles?.open(domain);
    (this.#o.log ?? silentLog).info('simulated host', { domains: this.world.domains.size });
  }
  async close(): Promise<void> {
    this.#dead = true;
    this.#listeners.clear();
    await this.#consoles?.close();
    await this.#screen?.close();
    this.world.close();
  }
  kill(): void {
    this.#dead = true;
    this.#listeners.clear();
  }
  watch(listener: (event: BackendEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  async host() {
    const memoryTotal = this.#o.memoryBytes ?? 64 * 2 ** 30;
    let used = 0;
    for (const d of this.world.domains.values()) used += d.spec.memory.staticMax;
    return {
      version: '1.0',
      accelerator: 'simulator',
      cpus: this.#o.cpus ?? 16,
      cpuModel: 'Simulated CPU',
      memoryTotal,
      memoryFree: Math.max(0, memoryTotal - used),
    };
  }
  async observeAll(): Promise<readonly Observed[]> {
    return [...this.world.domains.values()].map((d) => this.#seen(d));
  }
  async foreign() {
    return [];
  }
  owner() {
    return undefined;
  }
  overhead(): number {
    return 0;
  }
  endGuest(vm: string, end: DomainEnd): void {
    const d = this.world.domains.get(vm);
    if (!d?.built || d.power === 'ended') return;
    d.power = 'ended';
    d.end = end;
    this.#rare.note(`domain ${d.domid}: ${end.reason}, ${end.detail}`);
    this.world.changed(vm);
    this.#tell({ event: 'ended', vm, end });
  }
  openTray(vm: string, vbd: string): void {
    const drive = this.world.domains.get(vm)?.vbds.get(vbd);
    if (!drive) return;
    drive.path = null;
    drive.changed = true;
    this.#changed(vm);
  }

  readonly vm: Backend['vm'] = {
    check: (spec) => this.#check(spec),
    create: (spec, domid) => this.#verb('vm.create', spec.id, () => this.#create(spec, domid)),
    build: (spec) =>
      this.#verb('vm.build', spec.id, async () => {
        const d = this.#domain(spec.id);
        if (d.built) return;
        checkDevices(spec);
        d.built = true;
        countStart(this.world, spec);
        await this.#consoles?.open(d);
        this.#changed(spec.id);
      }),
    restore: (spec, image) => this.#verb('vm.restore', spec.id, () => this.#restore(spec, image.path)),
    destroy: (vm) =>
      this.#verb('vm.destroy', vm, async () => {
        this.#moves.cut(vm);
        if (!this.world.domains.delete(vm)) return;
        this.#consoles?.drop(vm);
        this.#changed(vm);
      }),
    pause: (vm) => this.#verb('vm.pause', vm, () => this.#setPower(vm, 'paused')),
    unpause: (vm) => this.#verb('vm.unpause', vm, () => this.#setPower(vm, 'running')),
    requestShutdown: (vm, what) => this.#verb('vm.requestShutdown', vm, async () => this.#askGuest(vm, what)),
    save: (vm, image) =>
      this.#verb('vm.save', vm, () => {
        const d = this.#live(vm);
        const { memoryTarget, vcpus } = d;
        const saved = { vm, memoryTarget, vcpus, drives: drivesOf(d), spent: false };
        this.world.images.set(image.path, saved);
        this.world.saved(image.path);
        d.power = 'paused';
        this.#changed(vm);
      }),
    setVcpus: (vm, count) =>
      this.#verb('vm.setVcpus', vm, () => {
        this.#live(vm).vcpus = count;
        this.#changed(vm);
      }),
    setMemoryTarget: (vm, bytes) =>
      this.#verb('vm.setMemoryTarget', vm, () => {
        this.#live(vm).memoryTarget = bytes;
        this.#changed(vm);
      }),
    sendKeys: (vm, kind, value) =>
      this.#verb('vm.sendKeys', vm, () => {
        this.#live(vm);
        // What the kernel does at SysRq c and b.
        if (kind === 'sysrq' && value === 'c') this.endGuest(vm, { reason: 'crash', detail: 'sysrq: crash' });
        if (kind === 'sysrq' && value === 'b') this.endGuest(vm, { reason: 'reboot', detail: 'sysrq: reboot' });
      }),
    observe: (vm) =>
      this.#verb('vm.observe', vm, () => {
        const d = this.world.domains.get(vm);
        return d && this.#seen(d);
      }),
  };
  readonly migration: NonNullable<Backend['migration']> = {
    describe: async () => '',
    listen: (vm) => this.#verb('vm.listen', vm, () => this.#moves.listen(this.#domain(vm).vm)),
    receive: (spec, address, call) =>
      this.#verb('vm.receive', spec.id, () => this.#receive(spec.id, address, call.signal)),
    send: (vm, address, _live, call) =>
      this.#verb('vm.send', vm, async () => {
        await this.#moves.send(this.#live(vm), address, call.signal);
        this.#changed(vm);
      }),
    rename: (from, to) =>
      this.#verb('vm.rename', from, async () => {
        const d = this.#moves.rename(from, to);
        if (!d) return;
        await this.#consoles?.drop(from);
        if (d.built) await this.#consoles?.open(d);
        this.#changed(from);
        this.#changed(to);
      }),
  };
  readonly #rare = rareVerbs({
    verb: (name, vm, act) => this.#verb(name, vm, act),
    live: (vm) => this.#live(vm),
    domains: () => this.world.domains.values(),
    endGuest: (vm, end) => this.endGuest(vm, end),
  });
  readonly guest = this.#rare.guest;
  readonly hypervisor = this.#rare.hypervisor;
  readonly firmware: NonNullable<Backend['firmware']>;
  devices = async () => simulatedDevices;
  async forget(vm: string): Promise<void> {
    if (this.world.firmware.has(vm)) this.world.remember(vm, undefined);
  }
  readonly vbd: Backend['vbd'] = {
    attach: (vm, { spec, disk }) =>
      this.#verb('vbd.attach', vm, () => {
        this.#domain(vm).vbds.set(spec.id, { spec, path: disk?.path ?? null });
        this.#changed(vm);
      }),
    detach: (vm, id) =>
      this.#verb('vbd.detach', vm, () => {
        if (this.world.domains.get(vm)?.vbds.delete(id)) this.#changed(vm);
      }),
    change: (vm, id, disk) =>
      this.#verb('vbd.change', vm, () => {
        const drive = this.#live(vm).vbds.get(id);
        if (!drive) throw xenopsErrors.make('Device_not_connected', { id });
        drive.path = disk?.path ?? null;
        drive.changed = true;
        this.#changed(vm);
      }),
    pivot: (vm, layers) =>
      this.#verb('vbd.pivot', vm, () => {
        const drives = layers.map(({ id, disk }) => {
          const drive = this.#live(vm).vbds.get(id);
          if (!drive) throw xenopsErrors.make('Device_not_connected', { id });
          const reason = `${disk.path} cannot be written to`;
          if (disk.readOnly) throw xenopsErrors.make('Storage_error', { reason });
          return { drive, path: disk.path };
        });
        for (const { drive, path } of drives) drive.path = path;
      }),
  };
  readonly vif: Backend['vif'] = {
    attach: (vm, { spec, port }) =>
      this.#verb('vif.attach', vm, () => {
        this.#domain(vm).vifs.set(spec.id, { spec, port: port.kind === 'tap' ? port.ifname : 'user' });
        this.#changed(vm);
      }),
    detach: (vm, id) =>
      this.#verb('vif.detach', vm, () => {
        if (this.world.domains.get(vm)?.vifs.delete(id)) this.#changed(vm);
      }),
  };

  /** Does what a verb does, unless a fault says otherwise. */
  async #verb<T>(name: string, vm: string, act: () => T | Promise<T>): Promise<T> {
    const fault = this.#faults(name, vm);
    if (fault?.fault === 'fail')
      throw fault.error ?? xenopsErrors.make('Internal_error', { reason: `injected: ${name}` });
    if (fault?.fault === 'delay') await this.#o.clock.sleep(fault.ms);
    if (fault?.fault === 'end') this.endGuest(vm, fault.end);
    if (fault?.fault === 'hang' || this.#dead) return new Promise<T>(() => undefined);
    return act();
  }
  #check(spec: VmSpec): void {
    const cpus = this.#o.cpus ?? 16;
    if (spec.vcpus.max > cpus * 16) throw xenopsErrors.make('Invalid_vcpus', { count: spec.vcpus.max, max: cpus * 16 });
  }
  #create(spec: VmSpec, domid: number): void {
    const there = this.world.domains.get(spec.id);
    if (there?.domid === domid) return;
    if (there) throw xenopsErrors.make('Already_exists', { what: 'domain of', id: spec.id });
    const d: SimDomain = {
      vm: spec.id,
      domid,
      spec,
      built: false,
      power: 'paused',
      startedAt: 0,
      memoryTarget: spec.memory.dynamicMax,
      vcpus: spec.vcpus.current,
      vbds: new Map(),
      vifs: new Map(),
    };
    this.world.domains.set(spec.id, d);
    this.#rare.note(`domain ${domid} created for ${spec.id}`);
    this.#changed(spec.id);
  }
  async #restore(spec: VmSpec, path: string): Promise<void> {
    const d = this.#domain(spec.id);
    const image = this.world.images.get(path);
    if (!image) throw xenopsErrors.make('Io_error', { reason: `${path} holds no suspended guest` });
    if (image.vm !== spec.id || image.drives?.join() !== drivesOf(d).join()) {
      throw xenopsErrors.make('Io_error', { reason: `${path} was made by a guest with other devices` });
    }
    if (image.spent) this.world.violations.push(`${spec.id} was resumed twice from ${path}`);
    d.image = path;
    d.memoryTarget = image.memoryTarget;
    d.vcpus = image.vcpus;
    d.built = true;
    await this.#consoles?.open(d);
    this.#changed(spec.id);
  }
  async #receive(vm: string, address: string, signal?: AbortSignal): Promise<void> {
    const d = this.#domain(vm);
    if (d.built) return;
    const guest = await this.#moves.receive(d, address, signal);
    if (this.#dead) return new Promise(() => undefined);
    const { startedAt, memoryTarget, vcpus } = guest;
    Object.assign(d, { startedAt, memoryTarget, vcpus, built: true, moved: guest });
    await this.#consoles?.open(d);
    this.#changed(vm);
  }
  #setPower(vm: string, power: 'paused' | 'running'): void {
    const d = this.#live(vm);
    if (d.power === power) return;
    d.power = power;
    if (power === 'running') this.#moves.goOn(d);
    const image = d.image === undefined ? undefined : this.world.images.get(d.image);
    if (power === 'running' && image) image.spent = true;
    if (power === 'running' && d.startedAt === 0) d.startedAt = this.#o.clock.now() / 1000;
    this.#changed(vm);
  }
  /** The guest reacts once it has booted, if it is that kind of guest. */
  #askGuest(vm: string, what: 'poweroff' | 'reboot'): void {
    const d = this.#live(vm);
    const behaviour = d.spec.platform['sim:shutdown'] ?? '0';
    if (behaviour === 'ignore' || (behaviour === 'lose-first' && !this.#asked.has(d))) {
      this.#asked.add(d);
      return;
    }
    const bootsUntil = d.startedAt * 1000 + (this.#o.bootDelayMs ?? 0);
    const delay = Math.max(0, bootsUntil - this.#o.clock.now()) + (Number(behaviour) || 0);
    const react = () => {
      const same = this.world.domains.get(vm) === d && d.power === 'running';
      if (same) this.endGuest(vm, { reason: what, detail: `the guest did as it was asked` });
    };
    if (delay > 0) this.#o.clock.after(delay, react);
    else queueMicrotask(react);
  }
  #domain(vm: string): SimDomain {
    const d = this.world.domains.get(vm);
    if (!d) throw xenopsErrors.make('Does_not_exist', { what: 'domain of', id: vm });
    return d;
  }
  #live(vm: string): SimDomain {
    const d = this.#domain(vm);
    if (!d.built || d.power === 'ended') {
      const reason = d.built ? 'its guest has ended' : 'it is not built';
      throw xenopsErrors.make('Internal_error', { reason: `the domain of ${vm}: ${reason}` });
    }
    return d;
  }
  #seen(d: SimDomain): Observed {
    return observed(d, this.#consoles?.socketOf(d), this.#screen?.path);
  }
  #changed(vm: string): void {
    this.world.changed(vm);
    this.#tell({ event: 'changed', vm });
  }
  #tell(event: BackendEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
