/** The host as a whole: what is free, every domain, and starting and ending all VMs in order. */
import type { Call } from '../contracts/contract.ts';
import type { HostDevices } from '../contracts/devices.ts';
import type { VmSpec } from '../contracts/xenops.ts';
import type { Core } from './core.ts';
import { asked, shutdownVm, startVm } from './lifecycle.ts';
import type { VmRecord } from './record.ts';

export async function statHost(core: Core) {
  const { version, accelerator, cpus, cpuModel, memoryTotal, memoryFree } = await core.backend.host();
  const { committed: memoryCommitted, total } = core.reservations;
  return {
    backend: core.backend.name,
    version,
    accelerator,
    capabilities: [...core.backend.can],
    cpus,
    cpuModel,
    memoryTotal,
    // What is promised is not free, whether the guest has touched it yet or not.
    memoryFree: Math.max(0, Math.min(memoryFree, total - memoryCommitted)),
    memoryCommitted,
  };
}
export async function hostDevicesOf({ backend }: Core): Promise<HostDevices> {
  const none = `guests on ${backend.name} are not given devices of the host`;
  return (await backend.devices?.()) ?? { pci: [], usb: [], noPci: none, noUsb: none };
}
export async function listDomains(core: Core) {
  const [ours, foreign] = await Promise.all([core.backend.observeAll(), core.backend.foreign()]);
  return [
    ...foreign.map((d) => ({ ...d, vm: null })),
    ...ours.map((d) => ({
      domid: d.domid,
      vm: d.vm,
      name: core.records.find(d.vm)?.spec.name ?? '',
      power: d.power === 'running' ? ('Running' as const) : ('Paused' as const),
      memory: d.memoryActual,
      vcpus: d.vcpus,
    })),
  ].sort((a, b) => a.domid - b.domid);
}

/** Starts what is to be started with the host: those of one order at once, then their longest delay. */
export async function startAll(core: Core, caller?: Call): Promise<void> {
  const call = untilClosed(core, caller);
  const due = [...core.records.all()].filter((r) => r.spec.autostart && r.power === 'Halted');
  const groups = inOrder(due);
  for (const [i, group] of groups.entries()) {
    await each(core, 'start', group, call, (r) => startVm(core, r.id, false, unmetered(call)));
    if (i < groups.length - 1) await pause(core, group, (spec) => spec.startDelayS, call);
    call?.progress?.((i + 1) / groups.length);
  }
}
/** Shuts down every VM that runs, in the opposite order: asked first, by force when it does not. */
export async function shutdownAll(core: Core, timeoutS: number, caller?: Call): Promise<void> {
  const call = untilClosed(core, caller);
  const due = [...core.records.all()].filter((r) => r.run !== null || core.queue.busy(r.id));
  const groups = inOrder(due).toReversed();
  for (const [i, group] of groups.entries()) {
    await each(core, 'shut down', group, call, (r) => endVm(core, r, timeoutS, call));
    if (i < groups.length - 1) await pause(core, group, (spec) => spec.shutdownDelayS, call);
    call?.progress?.((i + 1) / groups.length);
  }
}

async function endVm(core: Core, record: VmRecord, timeoutS: number, call?: Call): Promise<void> {
  core.ends.interrupt(record.id, 'stop');
  core.queue.supersede(record.id, asked);
  // Calls under way end first, so that the power state below is the last word.
  await core.queue.barrier(record.id);
  if (!record.run) return;
  try {
    if (record.power === 'Running' && timeoutS > 0) return await shutdownVm(core, record.id, timeoutS, unmetered(call));
  } catch (error) {
    if (call?.signal?.aborted) throw error;
    core.log.warn('a guest did not shut down; ended by force', { vm: record.id, error: messageOf(error) });
  }
  if (record.run) await shutdownVm(core, record.id, null, unmetered(call));
}
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
/** Groups of equal order, growing. */
export function inOrder(records: readonly VmRecord[]): readonly (readonly VmRecord[])[] {
  const groups = Map.groupBy(records, (r) => r.spec.order);
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
}
/** One that fails does not keep the others; a cancelled call does. */
async function each(
  core: Core,
  what: string,
  group: readonly VmRecord[],
  call: Call | undefined,
  f: (r: VmRecord) => Promise<void>,
): Promise<void> {
  const one = async (r: VmRecord) => {
    try {
      await f(r);
    } catch (error) {
      core.log.error(`could not ${what} a VM`, { vm: r.id, name: r.spec.name, error: messageOf(error) });
    }
  };
  await Promise.all(group.map(one));
  call?.signal?.throwIfAborted();
}
async function pause(core: Core, group: readonly VmRecord[], delayS: (spec: VmSpec) => number, call?: Call) {
  const seconds = Math.max(...group.map((r) => delayS(r.spec)));
  if (seconds > 0) await core.clock.sleep(seconds * 1000, call?.signal);
}
/** The call, ended too when the domain manager closes. */
function untilClosed(core: Core, call: Call = {}): Call {
  return { ...call, signal: call.signal ? AbortSignal.any([call.signal, core.closing]) : core.closing };
}
/** The call without its progress, which is that of all VMs. */
function unmetered(call: Call | undefined): Call {
  return {
    ...(call?.signal ? { signal: call.signal } : {}),
    ...(call?.label === undefined ? {} : { label: call.label }),
  };
}
