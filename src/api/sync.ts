/**
 * What the domain manager reports, written into the records: power state, devices, consoles, metrics; and records for VMs
 * that came through another door. Events go up: nothing here calls an operation.
 */
import type { Log } from '../base/log.ts';
import type { VmEntry, Xenops, XenopsEvent } from '../contracts/xenops.ts';
import { never, nullRef, type Ref } from '../datamodel/dsl.ts';
import type { Rec } from '../datamodel/index.ts';
import type { Db, Patch, Writer } from '../db/db.ts';
import { adoptVm, replaceDevices } from './adopt.ts';
import { locateConsole } from './advertise.ts';
import { alert } from './alerts.ts';
import { bootText } from './boot-record.ts';
import { removeTpm } from './firmware.ts';
import { refreshVm } from './guards.ts';
import { applyGuestMetrics } from './guest-metrics.ts';
import type { Registrar } from './registrar.ts';
import { fieldsOfSpec } from './translate/vm.ts';
import { alertOf } from './vm-alerts.ts';
import { wireTime } from './wire-time.ts';

export interface SyncParts {
  readonly db: Db;
  readonly xenops: Xenops;
  readonly registrar: Registrar;
  readonly host: Ref<'host'>;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  now(): number;
  /** `https://address` that this host listens on, for console locations. */
  readonly url: string;
  /** VM uuid → how its last run ended, as far as it was heard: begins empty. */
  readonly ends: Map<string, VmEntry['state']['lastEnd']>;
}

/** Follows the domain manager; the answer stops it. */
export function startSync(parts: SyncParts): () => void {
  return parts.xenops.watch((event) => {
    try {
      applyEvent(parts, event);
    } catch (error) {
      parts.log.error('an event of the domain manager was not applied', { vm: event.id, error: String(error) });
    }
  });
}

/**
 * Brings every record up to date with the domain manager, as after a start of the house. The answer: VMs whose description the
 * domain manager does not have for certain, to be pushed.
 */
export async function syncAll(parts: SyncParts): Promise<readonly Ref<'VM'>[]> {
  const entries = await parts.xenops.vm.list({});
  const seen = new Set<string>();
  const settled = new Set<string>();
  for (const vm of entries) {
    seen.add(vm.spec.id);
    const ref = parts.db.findByUuid('VM', vm.spec.id);
    // The records of one that lives may yet change with what its guest did meanwhile.
    if (ref && parts.registrar.recognise(ref, vm.spec) && vm.state.power === 'Halted') settled.add(ref);
    applyEvent(parts, { id: vm.spec.id, vm });
  }
  parts.db.write((w) => {
    for (const [ref, vm] of parts.db.rows('VM')) {
      if (vm.is_control_domain || vm.is_a_template || seen.has(vm.uuid)) continue;
      if (vm.power_state !== 'Halted') w.set('VM', ref, halted());
      refreshVm(parts.db, w, ref);
    }
  });
  return [...parts.db.refs('VM')].filter((ref) => !settled.has(ref));
}

export function applyEvent(parts: SyncParts, event: XenopsEvent): void {
  const { db } = parts;
  const entry = event.vm;
  db.write((w) => {
    const ref = db.findByUuid('VM', event.id);
    if (!entry) {
      if (ref && !db.get('VM', ref).is_a_template) removeRecords(db, w, ref);
      parts.registrar.forget(event.id);
      parts.ends.delete(event.id);
      return;
    }
    const vm = ref ?? adoptVm(parts, w, entry.spec);
    if (ref && !parts.registrar.isOurs(entry.spec)) takeOver(parts, w, ref, entry);
    parts.registrar.adopt(entry.spec);
    if (ref) tellOf(parts, w, ref, entry);
    applyState(parts, w, vm, entry);
    refreshVm(db, w, vm);
  });
}

/** What happened to the VM becomes an alert. */
function tellOf(parts: SyncParts, w: Writer, ref: Ref<'VM'>, { state }: VmEntry): void {
  const { db } = parts;
  const { power_state, domid, metrics, uuid, name_label, current_operations } = db.get('VM', ref);
  const startTime = db.find('VM_metrics', metrics)?.start_time ?? never;
  const operations = Object.values(current_operations);
  const found = alertOf({ power: power_state, domid, startTime, lastEnd: parts.ends.get(uuid), operations }, state);
  parts.ends.set(uuid, state.lastEnd);
  if (!found) return;
  const body = `VM '${name_label}' (uuid: ${uuid}) ${found.text}`;
  alert(db, w, parts.now(), { name: found.name, cls: 'VM', obj_uuid: uuid, body });
}

/** Another door changed the description: the last change wins. */
function takeOver(parts: SyncParts, w: Writer, ref: Ref<'VM'>, entry: VmEntry): void {
  w.set('VM', ref, fieldsOfSpec(entry.spec, parts.registrar.describe(ref)));
  replaceDevices(parts, w, ref, entry.spec);
}

const halted = (): Patch<'VM'> => ({
  power_state: 'Halted',
  resident_on: nullRef,
  scheduled_to_be_resident_on: nullRef,
  domid: -1,
  attached_PCIs: [],
});

function applyState(parts: SyncParts, w: Writer, ref: Ref<'VM'>, { state, spec }: VmEntry): void {
  const { db, host } = parts;
  const before = db.get('VM', ref);
  const lives = state.power === 'Running' || state.power === 'Paused';
  const anew = lives && before.domid !== state.domid && before.power_state !== 'Suspended';
  const placed = { power_state: state.power, resident_on: host, domid: state.domid, memory_target: state.memoryTarget };
  w.set('VM', ref, {
    ...(lives ? placed : { ...halted(), power_state: state.power }),
    ...(anew ? { last_booted_record: bootText(before) } : {}),
    ...(state.power === 'Halted' && before.requires_reboot ? { requires_reboot: false } : {}),
    ...clockOf(before, state),
    ...(lives ? { attached_PCIs: given(db, host, spec) } : {}),
  });
  applyDevices(db, w, ref, state, lives);
  applyMetrics(parts, w, ref, state, spec, lives);
  applyConsoles(parts, w, ref, lives ? state.consoles : []);
}

/** The records of the host's devices that the guest has. */
function given(db: Db, host: Ref<'host'>, { pcis = [] }: VmEntry['spec']): Ref<'PCI'>[] {
  if (pcis.length === 0) return [];
  return [...db.rows('PCI')].filter(([, d]) => d.host === host && pcis.includes(d.pci_id)).map(([ref]) => ref);
}
/** A guest that has set its clock finds it so at its next start. */
function clockOf({ platform }: Rec<'VM'>, { timeOffsetS }: VmEntry['state']): Patch<'VM'> {
  if (timeOffsetS === null || platform['timeoffset'] === String(timeOffsetS)) return {};
  return { platform: { ...platform, timeoffset: String(timeOffsetS) } };
}

function applyDevices(db: Db, w: Writer, ref: Ref<'VM'>, state: VmEntry['state'], lives: boolean): void {
  const vm = db.get('VM', ref);
  for (const r of vm.VBDs) {
    const vbd = db.get('VBD', r);
    const seen = state.vbds[vbd.uuid];
    const patch: { currently_attached: boolean; empty?: boolean; VDI?: string } = {
      currently_attached: state.power !== 'Halted' && (seen?.plugged ?? false),
    };
    if (lives && seen?.plugged && vbd.type === 'CD' && seen.media === null && !vbd.empty)
      Object.assign(patch, { empty: true, VDI: nullRef });
    w.set('VBD', r, patch);
    if (!lives) w.set('VBD', r, { current_operations: {} });
  }
  for (const r of vm.VUSBs) w.set('VUSB', r, { currently_attached: lives });
  for (const r of vm.VIFs) {
    const seen = state.vifs[db.get('VIF', r).uuid];
    w.set('VIF', r, { currently_attached: state.power !== 'Halted' && (seen?.plugged ?? false) });
    if (!lives) w.set('VIF', r, { current_operations: {} });
  }
}

function applyMetrics(
  parts: SyncParts,
  w: Writer,
  ref: Ref<'VM'>,
  state: VmEntry['state'],
  spec: VmEntry['spec'],
  lives: boolean,
): void {
  const { db } = parts;
  const metrics = db.find('VM_metrics', db.get('VM', ref).metrics);
  if (metrics) {
    const seen = {
      memory_actual: state.memoryActual,
      VCPUs_number: lives ? state.vcpus : 0,
      start_time: state.startedAt > 0 ? wireTime(state.startedAt * 1000) : never,
      hvm: lives && spec.domainType === 'hvm',
      current_domain_type: lives ? spec.domainType : 'unspecified',
    } satisfies Patch<'VM_metrics'>;
    // A start with thousands of halted VMs would else write a row for each.
    const news = lives || Object.entries(seen).some(([name, value]) => metrics[name as keyof typeof seen] !== value);
    if (news) w.set('VM_metrics', db.get('VM', ref).metrics, { ...seen, last_updated: wireTime(parts.now()) });
  }
  applyGuestMetrics(db, w, ref, state, parts.now());
}

/** One console record per console that the domain has; they keep their identity while it runs. */
function applyConsoles(parts: SyncParts, w: Writer, ref: Ref<'VM'>, consoles: VmEntry['state']['consoles']): void {
  const { db } = parts;
  const there = db.get('VM', ref).consoles;
  const wanted = new Set(consoles.map((c) => c.protocol));
  const have = new Set<Rec<'console'>['protocol']>();
  for (const r of there) {
    const { protocol } = db.get('console', r);
    if (wanted.has(protocol as 'rfb') && !have.has(protocol)) {
      have.add(protocol);
      locateConsole(parts, w, r);
    } else w.destroy('console', r);
  }
  for (const { protocol } of consoles) {
    if (have.has(protocol)) continue;
    locateConsole(parts, w, w.create('console', { protocol, VM: ref }));
    have.add(protocol);
  }
}

/** Takes a VM's drives and interfaces out of the database. */
export function removeDevices(db: Db, w: Writer, ref: Ref<'VM'>): void {
  const vm = db.get('VM', ref);
  for (const r of vm.VBDs) {
    w.destroy('VBD_metrics', db.get('VBD', r).metrics);
    w.destroy('VBD', r);
  }
  for (const r of vm.VIFs) {
    w.destroy('VIF_metrics', db.get('VIF', r).metrics);
    w.destroy('VIF', r);
  }
}
/** Takes a VM's rows out of the database, with those that exist only for it. */
export function removeRecords(db: Db, w: Writer, ref: Ref<'VM'>): void {
  const vm = db.get('VM', ref);
  removeDevices(db, w, ref);
  for (const r of vm.consoles) w.destroy('console', r);
  for (const r of vm.VTPMs) removeTpm(db, w, r);
  for (const r of vm.VUSBs) w.destroy('VUSB', r);
  w.destroy('VM_metrics', vm.metrics);
  w.destroy('VM_guest_metrics', vm.guest_metrics);
  w.destroy('VM', ref);
}
