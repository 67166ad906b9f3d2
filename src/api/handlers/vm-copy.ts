/** VM: making and deleting — create, clone, copy, provision, destroy. */
import { Unwind } from '../../base/unwind.ts';
import type { VM } from '../../datamodel/classes/vm.ts';
import { never, nullRef, type Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { Patch, Writer } from '../../db/db.ts';
import { ask } from '../ask.ts';
import type { Ctx, SomeHandlers } from '../context.ts';
import { copyTpms, firmwareForCopy, firmwareOf, giveFirmware, isNothing } from '../firmware.ts';
import { refreshVm } from '../guards.ts';
import { removeRecords } from '../sync.ts';
import { wireTime } from '../wire-time.ts';
import { dropSuspendImage } from './suspend-image.ts';
import { type Quiesce, snapshotLive } from './vdi-live.ts';
import { branchDisk, copyDisk, createDisk, destroyDisk } from './vdi-work.ts';
import { randomMac } from './vif-mac.ts';
import { checkMemory, checkVcpus } from './vm-limits.ts';
import { provisionDisks } from './vm-provision.ts';

type How = 'clone' | 'copy' | 'snapshot';

/** Fields that belong to one VM and are not carried over to a copy. */
export const ownFields: ReadonlySet<string> = new Set([
  'uuid',
  'allowed_operations',
  'current_operations',
  'power_state',
  'resident_on',
  'scheduled_to_be_resident_on',
  'domid',
  'VBDs',
  'VIFs', // …
  'consoles',
  'crash_dumps',
  'VTPMs',
  'VGPUs',
  'VUSBs',
  'attached_PCIs',
  'metrics',
  'guest_metrics',
  'snapshots',
  'children',
  'parent', // …
  'suspend_VDI',
  'blobs',
  'snapshot_of',
  'snapshot_time',
  'snapshot_info',
  'snapshot_metadata',
  'transportable_snapshot_id',
  'is_a_snapshot',
  'snapshot_schedule',
  'is_vmss_snapshot', // …
  'is_default_template',
  'requires_reboot',
  'last_booted_record',
  'pending_guidances',
  'groups',
  'generation_id',
]);

async function create(ctx: Ctx, args: Readonly<Record<string, unknown>>): Promise<Ref<'VM'>> {
  const fields = args as Patch<'VM'>;
  const draft = { ...fields, memory_static_min: fields.memory_static_min ?? 0 } as Rec<'VM'>;
  checkMemory(draft);
  checkVcpus(draft);
  const vm = ctx.db.write((w) => {
    const metrics = w.create('VM_metrics', { memory_actual: 0, install_time: wireTime(ctx.clock.now()) });
    const made = w.create('VM', {
      ...fields,
      power_state: 'Halted',
      suspend_VDI: nullRef,
      metrics,
      domid: -1,
      last_booted_record: '',
    });
    refreshVm(ctx.db, w, made);
    return made;
  });
  await register(ctx, vm);
  return vm;
}

/** Registers a new VM; a VM that the domain manager refuses is not left behind. */
async function register(ctx: Ctx, vm: Ref<'VM'>): Promise<void> {
  try {
    await ctx.registrar.push(vm);
  } catch (error) {
    ctx.db.write((w) => removeRecords(ctx.db, w, vm));
    throw error;
  }
}

export interface DuplicateOptions {
  /** Where full copies go; null: each where its original is. */
  readonly sr?: string;
  /** VDIs that the copy does not get. */
  readonly ignore?: readonly string[];
  /** Of a snapshot: whether the guest's agent must hold its filesystems still, or shall if it can. */
  readonly quiesce?: Quiesce;
  /** Fields that differ from the original's; those of a clone by default. */
  readonly links?: Patch<'VM'>;
}
/** A new VM like `source`, with its own disks made by `how`. */
export async function duplicate(
  ctx: Ctx,
  source: Ref<'VM'>,
  name: string,
  how: How,
  options: DuplicateOptions = {},
): Promise<Ref<'VM'>> {
  const vm = ctx.db.get('VM', source);
  await using unwind = new Unwind();
  const toCopy = disksOf(ctx, source).filter((vdi) => !options.ignore?.includes(vdi));
  // Those that the guest writes to first, at one moment; the others are not written to meanwhile.
  const none = { made: new Map<string, Ref<'VDI'>>(), quiesced: false };
  const live = how === 'snapshot' ? await snapshotLive(ctx, toCopy, unwind, options.quiesce) : none;
  const disks = live.made;
  const atRest = toCopy.filter((vdi) => !disks.has(vdi));
  for (const [i, vdi] of atRest.entries()) {
    const made = how === 'copy' ? await copyDisk(ctx, vdi, options.sr ?? nullRef) : await branchDisk(ctx, vdi, how);
    unwind.add(() => destroyDisk(ctx, made));
    disks.set(vdi, made);
    ctx.task.progress((i + 1) / (atRest.length + 1));
  }
  const firmware = await firmwareForCopy(ctx, source, how === 'snapshot');
  const ref = ctx.db.write((w) => {
    const carried = Object.fromEntries(Object.entries(vm).filter(([k]) => !ownFields.has(k))) as Patch<'VM'>;
    const made = w.create('VM', {
      ...carried,
      ...{ affinity: vm.affinity, blocked_operations: {} },
      ...(options.links ?? cloneLinks(ctx, vm)),
      ...(live.quiesced
        ? { snapshot_info: { ...options.links?.snapshot_info, 'disk-snapshot-type': 'quiesced' } }
        : {}),
      name_label: name,
      metrics: w.create('VM_metrics', {}),
      domid: -1,
    });
    copyDevices(ctx, w, { from: source, to: made, disks, keepMac: how === 'snapshot' });
    copyTpms(ctx, w, source, made);
    refreshVm(ctx.db, w, made);
    return made;
  });
  await register(ctx, ref);
  if (!isNothing(firmware)) await giveFirmware(ctx, ref, firmware);
  unwind.keep();
  return ref;
}
/** The disks of a VM; a disk that is in two drives comes twice. */
export function disksOf(ctx: Ctx, vm: Ref<'VM'>): readonly Ref<'VDI'>[] {
  const drives = ctx.db.get('VM', vm).VBDs.map((r) => ctx.db.get('VBD', r));
  return drives.filter((b) => b.type === 'Disk' && !b.empty).map((b) => b.VDI);
}

/** Gives `to` the devices of `from`: its disks by `disks` (the others are left out), its discs and interfaces as they are. */
export function copyDevices(
  ctx: Ctx,
  w: Writer,
  a: {
    readonly from: Ref<'VM'>;
    readonly to: Ref<'VM'>;
    readonly disks: ReadonlyMap<string, Ref<'VDI'>>;
    readonly keepMac: boolean;
  },
): void {
  const { VBDs, VIFs } = ctx.db.get('VM', a.from);
  for (const r of VBDs) {
    const vbd = ctx.db.get('VBD', r);
    const isDisk = vbd.type === 'Disk';
    if (isDisk && !vbd.empty && !a.disks.has(vbd.VDI)) continue;
    const { device, userdevice, bootable, mode, type, unpluggable, empty } = vbd;
    const { qos_algorithm_type, qos_algorithm_params, other_config } = vbd;
    w.create('VBD', {
      ...{ device, userdevice, bootable, mode, type, unpluggable, empty, qos_algorithm_type, qos_algorithm_params },
      VM: a.to,
      VDI: a.disks.get(vbd.VDI) ?? vbd.VDI,
      other_config: isDisk ? { ...other_config, owner: '' } : other_config,
      metrics: w.create('VBD_metrics', {}),
    });
  }
  for (const r of VIFs) {
    const vif = ctx.db.get('VIF', r);
    const { device, network, MTU, other_config, qos_algorithm_type, qos_algorithm_params } = vif;
    const { locking_mode, ipv4_allowed, ipv6_allowed } = vif;
    w.create('VIF', {
      ...{ device, network, MTU, other_config, qos_algorithm_type, qos_algorithm_params },
      ...{ locking_mode, ipv4_allowed, ipv6_allowed },
      VM: a.to,
      MAC: a.keepMac ? vif.MAC : randomMac(ctx.ids),
      MAC_autogenerated: a.keepMac ? vif.MAC_autogenerated : true,
      metrics: w.create('VIF_metrics', {}),
    });
  }
}

/** What sets a clone apart from what it was made of. */
function cloneLinks(ctx: Ctx, vm: Rec<'VM'>): Patch<'VM'> {
  const base: Record<string, string> = vm.is_a_template ? { base_template_name: vm.name_label } : {};
  const { default_template: _, ...other_config } = vm.other_config;
  return {
    power_state: 'Halted',
    is_a_template: vm.is_a_template,
    snapshot_time: never,
    ha_always_run: false,
    appliance: nullRef,
    order: 0,
    start_delay: 0,
    shutdown_delay: 0,
    other_config: { ...other_config, mac_seed: ctx.ids.uuid(), ...base },
  };
}

async function destroy(ctx: Ctx, self: Ref<'VM'>): Promise<void> {
  const vm = ctx.db.get('VM', self);
  if (vm.is_control_domain) throw fail('OPERATION_NOT_ALLOWED', { reason: 'A control domain cannot be destroyed' });
  if (vm.is_default_template) throw fail('VM_CANNOT_DELETE_DEFAULT_TEMPLATE', { vm: self });
  await dropSuspendImage(ctx, self, vm.suspend_VDI);
  if (!vm.is_a_template) await ask(ctx, () => ctx.registrar.remove(vm.uuid));
  ctx.db.write((w) => {
    for (const child of vm.children) w.set('VM', child, { parent: vm.parent });
    if (ctx.db.has('VM', self)) removeRecords(ctx.db, w, self);
  });
}

export const vmCopy = {
  create: (ctx, a) => create(ctx, a.args),
  destroy: (ctx, a) => destroy(ctx, a.self),
  clone: (ctx, a) => duplicate(ctx, a.vm, a.new_name, 'clone'),
  copy: (ctx, a) => duplicate(ctx, a.vm, a.new_name, 'copy', { sr: a.sr }),
  /** Turns a template (or a clone of one) into a VM, making the disks that `other_config:disks` asks for. */
  async provision(ctx, a) {
    await provisionDisks(ctx, a.vm, createDisk);
    const firmware = await firmwareOf(ctx, a.vm);
    ctx.db.write((w) => {
      w.set('VM', a.vm, { is_a_template: false });
      refreshVm(ctx.db, w, a.vm);
    });
    await register(ctx, a.vm);
    if (!isNothing(firmware)) await giveFirmware(ctx, a.vm, firmware);
  },
} satisfies SomeHandlers<typeof VM>;
