/** Drives and interfaces: described at once, plugged in the VM's turn. */
import type { Call } from '../contracts/contract.ts';
import type { PortCounters } from '../contracts/network.ts';
import { type Media, type VbdSpec, type VifSpec, type VmSpec, xenopsErrors } from '../contracts/xenops.ts';
import type { Core } from './core.ts';
import { guard, needsCapability } from './guard.ts';
import { portCounters } from './media.ts';
import { type Operation, operate } from './operation.ts';
import { followPlan } from './plans/adjust.ts';
import { vbdEjectPlan, vbdInsertPlan, vbdPlugPlan, vbdUnplugPlan } from './plans/vbd.ts';
import { vifPlugPlan, vifUnplugPlan } from './plans/vif.ts';
import { runOf, setDisc, type VmRecord } from './record.ts';
import { checkVbd, checkVif, withDevice } from './spec.ts';

type Kind = 'vbds' | 'vifs';
type DeviceOf<K extends Kind> = VmSpec[K][number];
const names = { vbds: 'VBD', vifs: 'VIF' } as const;

export async function addVbd(core: Core, vm: string, vbd: VbdSpec): Promise<void> {
  const record = core.records.get(vm);
  checkVbd(vbd);
  record.spec = { ...record.spec, vbds: withDevice('vbds', record.spec.vbds, vbd) };
  await core.records.save(record);
}
export async function addVif(core: Core, vm: string, vif: VifSpec): Promise<void> {
  const record = core.records.get(vm);
  checkVif(vif);
  record.spec = { ...record.spec, vifs: withDevice('vifs', record.spec.vifs, vif) };
  await core.records.save(record);
}
export async function removeDevice(core: Core, kind: Kind, vm: string, id: string): Promise<void> {
  const record = core.records.get(vm);
  described(record, kind, id);
  if (plugged(record, kind, id)) throw xenopsErrors.make('Device_is_connected', { id });
  record.spec = { ...record.spec, [kind]: record.spec[kind].filter((d) => d.id !== id) };
  await core.records.save(record);
}

export function plugVbd(core: Core, vm: string, id: string, call?: Call): Promise<void> {
  return operate(core, vm, 'VBD.plug', call, async (op) => {
    const vbd = ready(core, op, 'vbds', id);
    if (!vbd) return;
    checkVbd(vbd);
    await op.run(vbdPlugPlan(runOf(op.record).spec, vbd));
    put(op, 'vbds', vbd);
  });
}
export function plugVif(core: Core, vm: string, id: string, call?: Call): Promise<void> {
  return operate(core, vm, 'VIF.plug', call, async (op) => {
    const vif = ready(core, op, 'vifs', id);
    if (!vif) return;
    checkVif(vif);
    await op.run(vifPlugPlan(vm, vif));
    put(op, 'vifs', vif);
  });
}
export function unplugVbd(core: Core, vm: string, id: string, force: boolean, call?: Call): Promise<void> {
  return operate(core, vm, 'VBD.unplug', call, async (op) => {
    guard('unplug', op.record);
    needsCapability(core.backend, 'vbd-hotplug', 'VBD.unplug');
    const vbd = connected(op.record, 'vbds', id);
    if (vbd.unpluggable === false && !force) {
      throw xenopsErrors.make('Device_detach_rejected', { id, reason: 'it is marked as not unpluggable' });
    }
    await op.run(vbdUnplugPlan(runOf(op.record).spec, vbd, { force }));
    drop(op, 'vbds', id);
  });
}
export function unplugVif(core: Core, vm: string, id: string, force: boolean, call?: Call): Promise<void> {
  return operate(core, vm, 'VIF.unplug', call, async (op) => {
    guard('unplug', op.record);
    needsCapability(core.backend, 'vif-hotplug', 'VIF.unplug');
    const vif = connected(op.record, 'vifs', id);
    await op.run(vifUnplugPlan(vm, vif, { force }));
    drop(op, 'vifs', id);
  });
}

export function lockVif(
  core: Core,
  vm: string,
  id: string,
  wanted: NonNullable<VifSpec['lock']> | null,
  call?: Call,
): Promise<void> {
  return operate(core, vm, 'VIF.setLock', call, async (op) => {
    const locked = ({ lock: _, ...rest }: VifSpec): VifSpec => (wanted ? { ...rest, lock: wanted } : rest);
    const vif = locked(described(op.record, 'vifs', id));
    checkVif(vif);
    const running = plugged(op.record, 'vifs', id);
    if (running) {
      await op.run(followPlan(vm, { vifs: [locked(running)], vbds: [] }));
      put(op, 'vifs', locked(running));
    }
    op.record.spec = { ...op.record.spec, vifs: op.record.spec.vifs.map((v) => (v.id === id ? vif : v)) };
    op.changed = true;
  });
}

/** Does_not_exist, Device_not_connected, Network_error. */
export async function countersOfVif(core: Core, vm: string, id: string): Promise<PortCounters> {
  const record = core.records.get(vm);
  described(record, 'vifs', id);
  const running = plugged(record, 'vifs', id);
  if (!running) throw xenopsErrors.make('Device_not_connected', { id });
  return portCounters(core.ground, vm, running);
}

export function insertDisc(core: Core, vm: string, id: string, media: Media, call?: Call): Promise<void> {
  return operate(core, vm, 'VBD.insert', call, async (op) => {
    guard('insert', op.record);
    needsCapability(core.backend, 'cd-change', 'VBD.insert');
    const vbd = drive(op.record, id);
    if (vbd.media !== null) throw xenopsErrors.make('Media_present', { id });
    await op.run(vbdInsertPlan(runOf(op.record).spec, vbd, { media }));
    setDisc(op.record, id, media);
    op.changed = true;
  });
}
export function ejectDisc(core: Core, vm: string, id: string, call?: Call): Promise<void> {
  return operate(core, vm, 'VBD.eject', call, async (op) => {
    guard('eject', op.record);
    needsCapability(core.backend, 'cd-change', 'VBD.eject');
    const vbd = drive(op.record, id);
    if (vbd.media === null) throw xenopsErrors.make('Media_not_present', { id });
    await op.run(vbdEjectPlan(runOf(op.record).spec, vbd));
    setDisc(op.record, id, null);
    op.changed = true;
  });
}
/** The guest has opened its drives by itself: their discs are closed. Answers whether there was one. */
export async function noteEjected(op: Operation): Promise<boolean> {
  const { record } = op;
  const discs = record.live?.discs ?? {};
  const empty = (record.run?.spec.vbds ?? []).filter((vbd) => vbd.media !== null && discs[vbd.id] === false);
  for (const vbd of empty) {
    await op.run(vbdEjectPlan(runOf(record).spec, vbd));
    setDisc(record, vbd.id, null);
    op.changed = true;
  }
  return empty.length > 0;
}

/** The described device, when it can be plugged now; undefined when it is plugged already. */
function ready<K extends Kind>(core: Core, op: Operation, kind: K, id: string): DeviceOf<K> | undefined {
  guard('plug', op.record);
  const device = described(op.record, kind, id);
  if (plugged(op.record, kind, id)) return undefined;
  needsCapability(core.backend, kind === 'vbds' ? 'vbd-hotplug' : 'vif-hotplug', `${names[kind]}.plug`);
  return device;
}
function described<K extends Kind>(record: VmRecord, kind: K, id: string): DeviceOf<K> {
  const device = record.spec[kind].find((d) => d.id === id);
  if (!device) throw xenopsErrors.make('Does_not_exist', { what: names[kind], id: `${record.id}.${id}` });
  return device as DeviceOf<K>;
}
function plugged<K extends Kind>(record: VmRecord, kind: K, id: string): DeviceOf<K> | undefined {
  return record.run?.spec[kind].find((d) => d.id === id) as DeviceOf<K> | undefined;
}
function connected<K extends Kind>(record: VmRecord, kind: K, id: string): DeviceOf<K> {
  const device = plugged(record, kind, id);
  if (device) return device;
  described(record, kind, id);
  throw xenopsErrors.make('Device_not_connected', { id });
}
/** The plugged drive, which must be for discs. */
function drive(record: VmRecord, id: string): VbdSpec {
  const vbd = connected(record, 'vbds', id);
  if (vbd.type === 'Disk') throw xenopsErrors.make('Media_not_ejectable', { id });
  return vbd;
}
function put<K extends Kind>(op: Operation, kind: K, device: DeviceOf<K>): void {
  const run = runOf(op.record);
  const others = run.spec[kind].filter((d) => d.id !== device.id);
  op.record.run = { ...run, spec: { ...run.spec, [kind]: [...others, device] } };
  op.changed = true;
}
function drop(op: Operation, kind: Kind, id: string): void {
  const run = runOf(op.record);
  op.record.run = { ...run, spec: { ...run.spec, [kind]: run.spec[kind].filter((d) => d.id !== id) } };
  op.changed = true;
}
