/** The domain manager in one process: `contracts/xenops.ts` over a backend, with its neighbours. */
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { Unwind } from '../base/unwind.ts';
import { type Call, ContractError } from '../contracts/contract.ts';
import type { Network } from '../contracts/network.ts';
import type { Storage } from '../contracts/storage.ts';
import { type VmSpec, type Xenops, type XenopsEvent, xenopsErrors } from '../contracts/xenops.ts';
import type { Store } from '../store/store.ts';
import { sendKeys, setMemoryTarget, setVcpus } from './adjust.ts';
import type { Backend } from './backend.ts';
import type { Core, RestartLimits } from './core.ts';
import * as devices from './devices.ts';
import { Domids } from './domids.ts';
import { Ends } from './ends.ts';
import { Listeners } from './events.ts';
import { Farewells } from './farewells.ts';
import { follow } from './follow.ts';
import { guard } from './guard.ts';
import type { Hooks } from './hooks.ts';
import { hostDevicesOf, listDomains, shutdownAll, startAll, statHost } from './host.ts';
import { Incoming } from './incoming.ts';
import type { Kernels } from './kernels.ts';
import { migrateVm } from './leaving.ts';
import * as life from './lifecycle.ts';
import { VmQueue } from './queue.ts';
import * as rare from './rare.ts';
import { Reconciler } from './reconcile.ts';
import { runOf } from './record.ts';
import { Records } from './records.ts';
import { Reservations } from './reservations.ts';
import { snapshotDisks } from './snapshot.ts';
import { checkSpec } from './spec.ts';
import { adoptRunning, takeOver, watchGround } from './take-over.ts';

export interface XenopsOptions {
  readonly backend: Backend;
  readonly storage: Storage;
  readonly network: Network;
  /** Its own: revisions in it are the domain manager's. Stays open when the domain manager closes. */
  readonly store: Store;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** How many operations run at once, 16; those that wait for a guest do not count. */
  readonly workers?: number;
  /** Takes the kernels of VMs with a boot loader; absent, such VMs are left to the backend. */
  readonly kernels?: Kernels;
  /** Run around operations; absent: none. */
  readonly hooks?: Hooks;
  readonly limits?: Partial<RestartLimits>;
  /** Names the host's present boot, so that it can be told whether a lost guest was killed or went down with the host. */
  readonly boot?: string;
  /** The domain manager at an address, for guests that move there; absent: guests move within this host only. */
  readonly connect?: (address: string) => Promise<Pick<Xenops, 'incoming'>>;
  /** For tests: handed to every run of a plan. */
  readonly probe?: Core['probe'];
}
export type XenopsServer = Xenops & {
  /** Stops operations (Interrupted) and looking after VMs; guests run on. */
  close(): Promise<void>;
};

/** Takes over what runs, puts right what was interrupted, then serves. */
export async function openXenops(o: XenopsOptions): Promise<XenopsServer> {
  const events = new Listeners<XenopsEvent>(o.log);
  const closing = new AbortController();
  await using unwind = new Unwind();
  unwind.add(() => o.backend.close());
  const core = await makeCore(o, events, closing.signal);
  const unwatch = watchGround(core);
  unwind.add(unwatch);
  await takeOver(core);
  unwind.keep();
  return serve(core, events, async () => {
    unwatch();
    closing.abort(xenopsErrors.make('Interrupted', { operation: 'the operation', vm: 'all VMs' }));
    core.reconciler.close();
    core.farewells.close();
    await Promise.all([core.queue.close(), core.incoming.close()]);
    core.reconciler.close();
    await core.backend.close();
  });
}

/** They and the core know each other. */
interface Parts {
  ends: Ends;
  reconciler: Reconciler;
  incoming: Incoming;
  farewells: Farewells;
}
async function makeCore(o: XenopsOptions, events: Listeners<XenopsEvent>, closing: AbortSignal): Promise<Core> {
  const { backend, storage, network, clock, ids, log } = o;
  await backend.open();
  const records = await Records.open(o.store, events, log);
  const domids = await Domids.open(backend, records);
  const { memoryTotal } = await backend.host();
  const core: Omit<Core, keyof Parts> & Partial<Parts> = {
    backend,
    records,
    clock,
    ids,
    log,
    queue: new VmQueue(o.workers ?? 16),
    reservations: new Reservations(memoryTotal, (spec) => backend.overhead(spec)),
    limits: { crashWindowS: 120, rebootWindowS: backend.restartWindowS ?? 120, rebootDelayS: 15, ...o.limits },
    boot: o.boot ?? '',
    hooks: o.hooks,
    closing,
    nextDomid: () => domids.next(),
    probe: o.probe,
    ground: {
      backend,
      storage,
      network,
      clock,
      log,
      nameOf: (vm) => records.find(vm)?.spec.name,
      kernels: o.kernels,
      awaitEnd: (vm, what, timeoutS, call) => made.ends.awaitEnd(vm, what, timeoutS, call),
      moving: {
        async peer(to) {
          if (to === null) return made.incoming;
          if (!o.connect)
            throw xenopsErrors.make('Unimplemented', { function: 'migration to another host', backend: backend.name });
          return (await o.connect(to)).incoming;
        },
        give: (vm) => noteGiven(records, vm),
      },
      setSuspended: async (vm, image) => {
        const record = records.get(vm);
        const before = record.suspended;
        record.suspended = image && { image, spec: runOf(record).spec };
        await records.note(record).catch((error: unknown) => {
          record.suspended = before;
          throw error;
        });
      },
    },
  };
  const made = core as Core & Parts;
  core.ends = new Ends(made);
  core.reconciler = new Reconciler(made);
  core.incoming = await Incoming.open(made);
  core.farewells = await Farewells.open(made);
  return made;
}

/** Durably: the guest is the receiver's. */
async function noteGiven(records: Records, vm: string): Promise<void> {
  const record = records.get(vm);
  const before = record.leaving;
  if (!before) throw new Error(`${vm} is not being moved`);
  record.leaving = { ...before, given: true };
  await records.note(record).catch((error: unknown) => {
    record.leaving = before;
    throw error;
  });
}
function serve(core: Core, events: Listeners<XenopsEvent>, close: () => Promise<void>): XenopsServer {
  const { records, queue } = core;
  const server: Xenops = {
    vm: {
      add: (spec) => addVm(core, spec),
      update: (a) => updateVm(core, a),
      remove: (a, call) => removeVm(core, a.id, call),
      list: async () => [...records.all()].map((r) => records.entry(r)),
      stat: async (a) => records.entry(records.get(a.id)),
      start: (a, call) => life.startVm(core, a.id, a.paused, call),
      create: (a, call) => life.createVm(core, a.id, call),
      build: (a, call) => life.buildVm(core, a.id, call),
      pause: (a, call) => life.pauseVm(core, a.id, call),
      unpause: (a, call) => life.unpauseVm(core, a.id, call),
      shutdown: (a, call) => life.shutdownVm(core, a.id, a.timeoutS, call),
      reboot: (a, call) => life.rebootVm(core, a.id, a.timeoutS, call),
      suspend: (a, call) => life.suspendVm(core, a.id, a.image, call),
      resume: (a, call) => life.resumeVm(core, a.id, a.paused, call),
      takeSuspended: (a, call) => life.takeSuspended(core, a.id, a.image, call),
      resetPower: (a, call) => life.resetPower(core, a.id, call),
      migrate: (a, call) => migrateVm(core, a, call),
      snapshotDisks: (a, call) => snapshotDisks(core, a, call),
      setVcpus: (a, call) => setVcpus(core, a.id, a.count, call),
      setMemoryTarget: (a, call) => setMemoryTarget(core, a.id, a.bytes, call),
      sendKeys: (a, call) => sendKeys(core, a.id, a, call),
      sleep: (a, call) => rare.sleepVm(core, a.id, call),
      wake: (a, call) => rare.wakeVm(core, a.id, call),
      setShadowMultiplier: (a, call) => rare.setShadowMultiplier(core, a.id, a.multiplier, call),
      firmware: (a) => rare.firmwareOf(core, a.id),
      setFirmware: (a, call) => rare.setFirmware(core, a.id, a, call),
      endGuest: (a, call) => rare.endGuest(core, a.id, a.how, call),
      runScript: (a, call) => rare.runScript(core, a.id, a.script, call),
      requestRdp: (a, call) => rare.requestRdp(core, a.id, a.enabled, call),
    },
    vbd: {
      add: (a) => devices.addVbd(core, a.vm, a.vbd),
      remove: (a) => devices.removeDevice(core, 'vbds', a.vm, a.id),
      plug: (a, call) => devices.plugVbd(core, a.vm, a.id, call),
      unplug: (a, call) => devices.unplugVbd(core, a.vm, a.id, a.force, call),
      insert: (a, call) => devices.insertDisc(core, a.vm, a.id, a.media, call),
      eject: (a, call) => devices.ejectDisc(core, a.vm, a.id, call),
    },
    vif: {
      add: (a) => devices.addVif(core, a.vm, a.vif),
      remove: (a) => devices.removeDevice(core, 'vifs', a.vm, a.id),
      plug: (a, call) => devices.plugVif(core, a.vm, a.id, call),
      unplug: (a, call) => devices.unplugVif(core, a.vm, a.id, a.force, call),
      counters: (a) => devices.countersOfVif(core, a.vm, a.id),
      setLock: (a, call) => devices.lockVif(core, a.vm, a.id, a.lock, call),
    },
    host: {
      stat: async () => {
        const found = await statHost(core);
        return core.ground.kernels
          ? { ...found, capabilities: [...new Set([...found.capabilities, 'bootloader'])] }
          : found;
      },
      domains: () => listDomains(core),
      devices: () => hostDevicesOf(core),
      messages: (a) => rare.hypervisorMessages(core, a.clear),
      sendDebugKeys: (a) => rare.sendDebugKeys(core, a.keys),
      setWorkers: (a) => rare.setWorkers(core, a.count),
      startAll: (_, call) => startAll(core, call),
      shutdownAll: (a, call) => shutdownAll(core, a.timeoutS, call),
    },
    incoming: {
      prepare: (a, call) => core.incoming.prepare(a, call),
      stat: (a) => core.incoming.stat(a),
      receive: (a, call) => core.incoming.receive(a, call),
      commit: (a) => core.incoming.commit(a),
      abort: (a) => core.incoming.abort(a),
      forget: (a) => core.incoming.forget(a),
    },
    barrier: { wait: (a) => queue.barrier(a.vm) },
    watch: (listener) => events.add(listener),
  };
  return { ...inWords(server), watch: server.watch, close };
}

async function addVm(core: Core, spec: VmSpec): Promise<string> {
  checkSpec(spec);
  core.queue.assertOpen('add', spec.id);
  const known = core.records.find(spec.id);
  if (known && JSON.stringify(known.spec) === JSON.stringify(spec)) return spec.id;
  const before = known?.spec;
  const record = core.records.describe(spec);
  await core.records.save(record);
  if (before) follow(core, record, before);
  if (!known) await adoptRunning(core, record);
  return spec.id;
}
/** Read and written in one go, so that no change of another caller is lost. */
async function updateVm(
  core: Core,
  { id, notes = {}, ...change }: Parameters<Xenops['vm']['update']>[0],
): Promise<void> {
  const { notes: before, ...spec } = core.records.get(id).spec;
  const kept = Object.entries({ ...before, ...notes }).filter((note): note is [string, string] => note[1] !== null);
  await addVm(core, { ...spec, ...change, ...(kept.length > 0 ? { notes: Object.fromEntries(kept) } : {}) });
}
function removeVm(core: Core, id: string, call?: Call): Promise<void> {
  return core.queue.push(id, 'remove', call, async () => {
    const record = core.records.get(id);
    if (record.dirty) await core.reconciler.reconcile(id, 'failed');
    guard('remove', record);
    if (record.dirty) {
      throw xenopsErrors.make('Internal_error', {
        reason: `what ${id} left behind could not be removed yet; try again`,
      });
    }
    // Before the row: what fails, or is cut short, is done again with the next attempt.
    await core.ground.kernels?.drop(id);
    await core.backend.forget?.(id);
    await core.records.remove(record);
  });
}

/** Every error that leaves is one of the contract's. */
function inWords(server: Xenops): Xenops {
  const translate = (f: (...a: unknown[]) => Promise<unknown>) => {
    return async (...args: unknown[]) => {
      try {
        return await f(...args);
      } catch (error) {
        throw known(error, args[1] as Call | undefined);
      }
    };
  };
  type Group = Record<string, (...a: unknown[]) => Promise<unknown>>;
  const groups = Object.entries(server).filter(([, group]) => typeof group === 'object');
  const wrapped = groups.map(([name, group]) => {
    return [name, Object.fromEntries(Object.entries(group as Group).map(([m, f]) => [m, translate(f)]))];
  });
  // The same names with the same functions, wrapped: the compiler does not follow `Object.entries`.
  return Object.fromEntries(wrapped) as Xenops;
}
function known(cause: unknown, call: Call | undefined): ContractError {
  if (call?.signal?.aborted && cause === call.signal.reason) {
    return xenopsErrors.make('Cancelled', { task: call.label ?? '' }, { cause });
  }
  if (cause instanceof ContractError && cause.kind in xenopsErrors.sentences) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return xenopsErrors.make('Internal_error', { reason }, { cause });
}
