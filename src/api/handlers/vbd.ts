/** XenAPI class VBD: drives of VMs. */
import type { VBD } from '../../datamodel/classes/vbd.ts';
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { Patch } from '../../db/db.ts';
import { ask } from '../ask.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import { refreshVm } from '../guards.ts';
import { driveName, drivePosition, drivesLimits, vbdSpec, vdiMedia } from '../translate/vm.ts';

type Self = Ref<'VBD'>;
const inUse = (vm: Rec<'VM'>) => vm.power_state === 'Running' || vm.power_state === 'Paused';

/** The number that the drive gets: as asked for, or the lowest free one for `autodetect`. */
function choosePosition(ctx: Ctx, vm: Rec<'VM'>, vmRef: string, userdevice: string): number {
  const used = new Set(vm.VBDs.map((r) => drivePosition(ctx.db.get('VBD', r).userdevice)));
  if (userdevice === 'autodetect') {
    let n = 0;
    while (used.has(n)) n++;
    return n;
  }
  const n = drivePosition(userdevice);
  if (n < 0 || n > 254) throw fail('INVALID_DEVICE', { device: userdevice });
  if (used.has(n)) throw fail('DEVICE_ALREADY_EXISTS', { device: userdevice });
  if (!vmRef) throw fail('INVALID_DEVICE', { device: userdevice });
  return n;
}

function create(ctx: Ctx, args: Readonly<Record<string, unknown>>): Ref<'VBD'> {
  const wanted = args as Patch<'VBD'> & Pick<Rec<'VBD'>, 'VM' | 'VDI' | 'userdevice' | 'type' | 'mode' | 'empty'>;
  const vm = ctx.db.get('VM', wanted.VM);
  const empty = wanted.empty || wanted.VDI === nullRef;
  if (empty && wanted.type !== 'CD') throw fail('VBD_NOT_REMOVABLE_MEDIA', { vbd: 'new' });
  if (wanted.type === 'CD' && wanted.mode !== 'RO') throw fail('VBD_CDS_MUST_BE_READONLY', {});
  if (!empty) checkDisk(ctx, wanted.VDI, wanted.type, wanted.mode);
  const n = choosePosition(ctx, vm, wanted.VM, wanted.userdevice);
  return ctx.db.write((w) => {
    const made = w.create('VBD', {
      ...wanted,
      empty,
      VDI: empty ? nullRef : wanted.VDI,
      userdevice: String(n),
      device: driveName(n),
      currently_attached: false,
      metrics: w.create('VBD_metrics', {}),
    });
    refreshVm(ctx.db, w, wanted.VM);
    return made;
  });
}

function checkDisk(ctx: Ctx, ref: Ref<'VDI'>, type: Rec<'VBD'>['type'], mode: Rec<'VBD'>['mode']): void {
  const vdi = ctx.db.get('VDI', ref);
  if (vdi.missing) throw fail('VDI_NOT_AVAILABLE', { vdi: ref });
  if (mode === 'RW' && vdi.read_only) throw fail('VDI_READONLY', { vdi: ref });
  if (type === 'CD' && ctx.db.get('SR', vdi.SR).content_type !== 'iso')
    throw fail('VDI_IS_NOT_ISO', { vdi: ref, type: ctx.db.get('SR', vdi.SR).type });
}

/** Asks the domain manager about one drive, with its description up to date. */
async function operate(ctx: Ctx, self: Self, f: (vm: string, id: string) => Promise<void>): Promise<void> {
  const vbd = ctx.db.get('VBD', self);
  const vm = ctx.db.get('VM', vbd.VM).uuid;
  await ask(ctx, async () => {
    await ctx.registrar.push(vbd.VM);
    await f(vm, vbd.uuid);
    await ctx.xenops.barrier.wait({ vm });
  });
}

async function destroy(ctx: Ctx, self: Self): Promise<void> {
  const vbd = ctx.db.get('VBD', self);
  const vm = ctx.db.get('VM', vbd.VM);
  if (vbd.currently_attached) throw fail('DEVICE_ALREADY_ATTACHED', { device: self });
  if (inUse(vm) && vbd.currently_attached)
    throw fail('OPERATION_NOT_ALLOWED', { reason: 'Unplug the VBD before destroying it' });
  ctx.db.write((w) => {
    w.destroy('VBD_metrics', vbd.metrics);
    w.destroy('VBD', self);
    refreshVm(ctx.db, w, vbd.VM);
  });
  await ask(ctx, () => ctx.registrar.push(vbd.VM));
}

async function insert(ctx: Ctx, self: Self, vdiRef: Ref<'VDI'>): Promise<void> {
  const vbd = ctx.db.get('VBD', self);
  checkDisk(ctx, vdiRef, 'CD', 'RO');
  const media = vdiMedia(ctx.db, ctx.db.get('VDI', vdiRef));
  if (inUse(ctx.db.get('VM', vbd.VM)) && vbd.currently_attached) {
    await operate(ctx, self, (vm, id) => ctx.xenops.vbd.insert({ vm, id, media }));
  }
  put(ctx, self, { VDI: vdiRef, empty: false });
  await ask(ctx, () => ctx.registrar.push(vbd.VM));
}

async function eject(ctx: Ctx, self: Self): Promise<void> {
  const vbd = ctx.db.get('VBD', self);
  if (inUse(ctx.db.get('VM', vbd.VM)) && vbd.currently_attached) {
    await operate(ctx, self, (vm, id) => ctx.xenops.vbd.eject({ vm, id }));
  }
  put(ctx, self, { VDI: nullRef, empty: true });
  await ask(ctx, () => ctx.registrar.push(vbd.VM));
}

function put(ctx: Ctx, self: Self, patch: Patch<'VBD'>): void {
  ctx.db.write((w) => {
    w.set('VBD', self, patch);
    refreshVm(ctx.db, w, ctx.db.get('VBD', self).VM);
  });
}

/** What is no number is refused here rather than at the next start; a plugged drive has the new limits at once. */
async function limit(ctx: Ctx, self: Self, patch: Patch<'VBD'>): Promise<void> {
  drivesLimits({ ...ctx.db.get('VBD', self), ...patch });
  put(ctx, self, patch);
  await ask(ctx, () => ctx.registrar.push(ctx.db.get('VBD', self).VM));
}

export const vbdHandlers: ClassHandlers<typeof VBD> = {
  create: (ctx, a) => create(ctx, a.args),
  destroy: (ctx, a) => destroy(ctx, a.self),
  insert: (ctx, a) => insert(ctx, a.vbd, a.vdi),
  eject: (ctx, a) => eject(ctx, a.vbd),
  plug: (ctx, a) => operate(ctx, a.self, (vm, id) => ctx.xenops.vbd.plug({ vm, id })),
  unplug: (ctx, a) => operate(ctx, a.self, (vm, id) => ctx.xenops.vbd.unplug({ vm, id, force: false })),
  unplug_force: (ctx, a) => operate(ctx, a.self, (vm, id) => ctx.xenops.vbd.unplug({ vm, id, force: true })),
  unplug_force_no_safety_check: (ctx, a) =>
    operate(ctx, a.self, (vm, id) => ctx.xenops.vbd.unplug({ vm, id, force: true })),
  assert_attachable(ctx, a) {
    const vbd = ctx.db.get('VBD', a.self);
    if (!vbd.empty) checkDisk(ctx, vbd.VDI, vbd.type, vbd.mode);
    vbdSpec(ctx.db, a.self);
  },
  set_qos_algorithm_type: (ctx, a: { self: Self; value: string }) =>
    limit(ctx, a.self, { qos_algorithm_type: a.value }),
  set_qos_algorithm_params: (ctx, a: { self: Self; value: Readonly<Record<string, string>> }) =>
    limit(ctx, a.self, { qos_algorithm_params: a.value }),
  set_mode(ctx, a) {
    const vbd = ctx.db.get('VBD', a.self);
    const vm = ctx.db.get('VM', vbd.VM);
    if (vm.power_state !== 'Halted')
      throw fail('VM_BAD_POWER_STATE', { vm: vbd.VM, expected: 'halted', actual: vm.power_state.toLowerCase() });
    if (vbd.type === 'CD' && a.value === 'RW') throw fail('VBD_CDS_MUST_BE_READONLY', {});
    if (!vbd.empty) checkDisk(ctx, vbd.VDI, vbd.type, a.value);
    put(ctx, a.self, { mode: a.value });
  },
};
