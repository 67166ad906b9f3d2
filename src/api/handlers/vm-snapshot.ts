/**
 * VM: snapshots, without and with the guest's memory (checkpoints), and going back to them.
 *
 *     Running ──suspend──▶ Suspended ──disks branched, the image is the checkpoint's too──▶ ──resume──▶ Running
 *
 * The image of a checkpoint is never written again, so that the VM which is brought back to it reads the same one: going back is
 * as quick as the disks' clones. It is deleted with the last VM that has it.
 */
import { bestEffort } from '../../base/best-effort.ts';
import { Unwind } from '../../base/unwind.ts';
import type { VM } from '../../datamodel/classes/vm.ts';
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import { ApiError, fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { Patch, Writer } from '../../db/db.ts';
import type { Ctx, SomeHandlers } from '../context.ts';
import { copyTpms, giveFirmware, recordedFirmware } from '../firmware.ts';
import { refreshVm } from '../guards.ts';
import { holding } from '../operations.ts';
import { removeDevices } from '../sync.ts';
import { wireTime } from '../wire-time.ts';
import type { Quiesce } from './vdi-live.ts';
import { branchDisk, destroyDisk } from './vdi-work.ts';
import { copyDevices, disksOf, duplicate, ownFields } from './vm-copy.ts';
import { hardShutdown, operate, resume, suspend } from './vm-power.ts';

async function snapshot(
  ctx: Ctx,
  vm: Ref<'VM'>,
  name: string,
  ignore: readonly string[],
  quiesce: Quiesce = 'try',
): Promise<Ref<'VM'>> {
  const record = ctx.db.get('VM', vm);
  const links = snapshotLinks(ctx, vm, record);
  const made = await duplicate(ctx, vm, name, 'snapshot', { ignore, links, quiesce });
  ctx.db.set('VM', vm, { parent: made });
  return made;
}
/** The fields by which a snapshot is one. */
function snapshotLinks(ctx: Ctx, vm: Ref<'VM'>, record: Rec<'VM'>): Patch<'VM'> {
  return {
    power_state: 'Halted',
    is_a_template: true,
    is_a_snapshot: true,
    snapshot_of: vm,
    snapshot_time: wireTime(ctx.clock.now()),
    snapshot_metadata: metadataOf(record),
    parent: record.parent,
    snapshot_info: { 'power-state-at-snapshot': record.power_state, 'disk-snapshot-type': 'crash_consistent' },
  };
}

/** Suspends the guest, takes the snapshot with its image, and lets it go on. */
async function checkpoint(ctx: Ctx, vm: Ref<'VM'>, name: string): Promise<Ref<'VM'>> {
  const before = ctx.db.get('VM', vm);
  const lives = before.power_state === 'Running';
  if (!lives && before.power_state !== 'Suspended') return snapshot(ctx, vm, name, []);
  if (lives) await suspend(ctx, vm);
  const goOn = async () => {
    if (lives) await resume(ctx, vm, false);
  };
  let made: Ref<'VM'>;
  try {
    const record = ctx.db.get('VM', vm);
    const links: Patch<'VM'> = {
      ...snapshotLinks(ctx, vm, { ...record, power_state: before.power_state }),
      power_state: 'Suspended',
      suspend_VDI: record.suspend_VDI,
    };
    made = await duplicate(ctx, vm, name, 'snapshot', { links });
    ctx.db.set('VM', vm, { parent: made });
  } catch (error) {
    await bestEffort('a guest whose checkpoint failed goes on', ctx.log, goOn);
    throw error;
  }
  try {
    await goOn();
  } catch (cause) {
    ctx.log.error('a VM is suspended, and could not be resumed after its checkpoint', { vm, error: String(cause) });
    throw fail('VM_CHECKPOINT_RESUME_FAILED', { vm }, { cause });
  }
  return made;
}

/** Fields that going back does not touch: what the VM is, where it runs and how it is grouped. */
const kept = new Set([
  ...ownFields,
  'is_a_template',
  'is_control_domain',
  'protection_policy',
  'is_snapshot_from_vmpp',
  'tags',
  'affinity',
  'suspend_SR',
  'ha_always_run',
  'appliance',
]);
/** The record as text, with its uuid: a VM that was deleted is made again by it. */
function metadataOf(vm: Rec<'VM'>): string {
  const fields = Object.entries(vm).filter(([name]) => name === 'uuid' || !kept.has(name));
  return JSON.stringify(Object.fromEntries(fields));
}
/** What the VM was; nothing, for a snapshot that came from elsewhere with text of another kind: its own fields tell then. */
function thenOf(ctx: Ctx, snap: Rec<'VM'>): Readonly<Record<string, unknown>> {
  try {
    const then: unknown = JSON.parse(snap.snapshot_metadata);
    if (typeof then === 'object' && then !== null) return then as Record<string, unknown>;
  } catch {
    ctx.log.debug('a snapshot has no metadata of ours', { snapshot: snap.uuid });
  }
  return {};
}
function fieldsThen(snap: Rec<'VM'>, then: Readonly<Record<string, unknown>>): Patch<'VM'> {
  const fields = Object.entries(snap).filter(([name]) => !kept.has(name) && name !== 'blocked_operations');
  return Object.fromEntries(fields.map(([name, value]) => [name, then[name] ?? value]));
}

/**
 * The VM's state becomes the snapshot's. Its new disks are made first, so that no space left, for example, costs nothing; from then
 * on a failure is VM_REVERT_FAILED. Disks that the snapshot knows nothing of are detached and stay.
 */
async function revert(ctx: Ctx, snap: Ref<'VM'>): Promise<void> {
  const { snapshot_of } = ctx.db.get('VM', snap);
  if (!ctx.db.has('VM', snapshot_of)) return bringBack(ctx, snap, undefined);
  const o = { cls: 'VM', ref: snapshot_of, op: 'reverting', task: ctx.task.ref } as const;
  return holding(ctx.db, o, () => bringBack(ctx, snap, snapshot_of));
}
async function bringBack(ctx: Ctx, snap: Ref<'VM'>, there: Ref<'VM'> | undefined): Promise<void> {
  await using unwind = new Unwind();
  const disks = new Map<string, Ref<'VDI'>>();
  for (const frozen of disksOf(ctx, snap)) {
    const made = await branchDisk(ctx, frozen, 'clone');
    unwind.add(() => destroyDisk(ctx, made));
    disks.set(frozen, made);
  }
  try {
    if (there && ctx.db.get('VM', there).power_state !== 'Halted') await hardShutdown(ctx, there);
    const replaced = ctx.db.write((w) => exchange(ctx, w, snap, there, disks));
    unwind.keep();
    await operate(ctx, replaced.vm, async (id, call) => {
      await giveFirmware(ctx, replaced.vm, recordedFirmware(ctx, snap));
      const { power_state, suspend_VDI } = ctx.db.get('VM', snap);
      if (power_state !== 'Suspended') return;
      ctx.db.set('VM', replaced.vm, { suspend_VDI });
      const { uuid: vdi, SR } = ctx.db.get('VDI', suspend_VDI);
      await ctx.xenops.vm.takeSuspended({ id, image: { kind: 'vdi', sr: ctx.db.get('SR', SR).uuid, vdi } }, call);
    });
    for (const old of replaced.disks)
      await bestEffort('a disk that was replaced stays', ctx.log, () => destroyDisk(ctx, old));
  } catch (cause) {
    if (cause instanceof ApiError && cause.wire[0] === 'TASK_CANCELLED') throw cause;
    ctx.log.error('a VM could not be brought back to its snapshot', { snapshot: snap, error: String(cause) });
    throw fail('VM_REVERT_FAILED', { vm: snap, snapshot: there ?? nullRef }, { cause });
  }
}
/** In one write: fields and devices as they were. Answers the VM, and those of its disks that others have taken the place of. */
function exchange(
  ctx: Ctx,
  w: Writer,
  snap: Ref<'VM'>,
  there: Ref<'VM'> | undefined,
  disks: ReadonlyMap<string, Ref<'VDI'>>,
): { readonly vm: Ref<'VM'>; readonly disks: readonly Ref<'VDI'>[] } {
  const { db } = ctx;
  const record = db.get('VM', snap);
  const then = thenOf(ctx, record);
  const uuid = typeof then['uuid'] === 'string' ? then['uuid'] : undefined;
  const old = there ? disksOf(ctx, there) : [];
  const vm = there ?? madeAgain(ctx, w, snap, uuid);
  removeDevices(db, w, vm);
  w.set('VM', vm, { ...fieldsThen(record, then), parent: snap, ha_always_run: false });
  copyDevices(ctx, w, { from: snap, to: vm, disks, keepMac: true });
  copyTpms(ctx, w, snap, vm);
  const origins = new Map([...disks].map(([frozen, made]) => [db.get('VDI', frozen).snapshot_of as string, made]));
  for (const [origin, made] of origins) {
    for (const frozen of db.find('VDI', origin)?.snapshots ?? []) w.set('VDI', frozen, { snapshot_of: made });
  }
  for (const [frozen, made] of disks) w.set('VDI', frozen, { snapshot_of: made });
  refreshVm(db, w, vm);
  return { vm, disks: old.filter((vdi) => origins.has(vdi)) };
}
/** A VM that was deleted, with its old uuid, when nobody has it now; what was taken of it belongs to it again. */
function madeAgain(ctx: Ctx, w: Writer, snap: Ref<'VM'>, uuid: string | undefined): Ref<'VM'> {
  const vm = w.create('VM', {
    ...(uuid && !ctx.db.findByUuid('VM', uuid) ? { uuid } : {}),
    metrics: w.create('VM_metrics', {}),
    power_state: 'Halted',
    domid: -1,
    is_a_template: false,
  });
  for (const [ref, row] of ctx.db.rows('VM')) {
    const orphan = row.is_a_snapshot && row.snapshot_of === nullRef;
    if (ref === snap || (orphan && uuid && thenOf(ctx, row)['uuid'] === uuid)) w.set('VM', ref, { snapshot_of: vm });
  }
  return vm;
}

/** As `VM.snapshot`, and refused when the guest's agent does not hold its filesystems still. */
export function snapshotQuiesced(ctx: Ctx, vm: Ref<'VM'>, name: string): Promise<Ref<'VM'>> {
  const o = { cls: 'VM', ref: vm, op: 'snapshot', task: ctx.task.ref } as const;
  return holding(ctx.db, o, () => snapshot(ctx, vm, name, [], 'must'));
}
/** A VM is on one schedule at most. */
function setSnapshotSchedule(ctx: Ctx, self: Ref<'VM'>, value: Ref<'VMSS'>): void {
  const { is_a_template, is_control_domain, is_a_snapshot } = ctx.db.get('VM', self);
  if (is_a_template || is_control_domain || is_a_snapshot) throw fail('VM_IS_TEMPLATE', { vm: self });
  if (value !== nullRef) ctx.db.get('VMSS', value);
  ctx.db.set('VM', self, { snapshot_schedule: value });
}

export const vmSnapshot = {
  snapshot: (ctx, a) => snapshot(ctx, a.vm, a.new_name, a.ignore_vdis),
  checkpoint: (ctx, a) => checkpoint(ctx, a.vm, a.new_name),
  revert: (ctx, a) => revert(ctx, a.snapshot),
  set_snapshot_schedule: (ctx, a) => setSnapshotSchedule(ctx, a.self, a.value),
} satisfies SomeHandlers<typeof VM>;
