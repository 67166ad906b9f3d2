/** VM: settings that are more than a write — limits are checked, running guests are asked, registrations follow. */
import type { VM } from '../../datamodel/classes/vm.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { nullRef } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import { refuseVm, type VmOperation } from '../../datamodel/lifecycle/vm.ts';
import type { Patch } from '../../db/db.ts';
import { ask } from '../ask.ts';
import { bootRecord } from '../boot-record.ts';
import type { Ctx, SomeHandlers } from '../context.ts';
import { firmwareOf, giveFirmware, isNothing, recordedFirmware } from '../firmware.ts';
import { refreshVm } from '../guards.ts';
import { drivePosition } from '../translate/vm.ts';
import { checkMemory, checkVcpus } from './vm-limits.ts';

type Self = Ref<'VM'>;

/**
 * Writes fields, then refreshes what may be done with the VM and its registration. A change that makes a VM that can run into
 * one that cannot is refused whole; one that is out of order already does not stand in the way of other changes.
 */
async function put(ctx: Ctx, self: Self, patch: Patch<'VM'>): Promise<void> {
  const fine = ctx.registrar.describe(self) !== undefined;
  ctx.db.write((w) => {
    w.set('VM', self, patch);
    if (fine) ctx.registrar.check(self);
    refreshVm(ctx.db, w, self);
  });
  if (fine || ctx.registrar.describe(self)) await ask(ctx, () => ctx.registrar.push(self));
}

async function setMemory(ctx: Ctx, self: Self, patch: Patch<'VM'>): Promise<void> {
  const before = ctx.db.get('VM', self);
  const after = { ...before, ...patch };
  checkMemory(after);
  await put(ctx, self, patch);
  if (before.power_state === 'Running' && after.memory_dynamic_max !== before.memory_dynamic_max) {
    await ask(ctx, (call) => ctx.xenops.vm.setMemoryTarget({ id: before.uuid, bytes: after.memory_dynamic_max }, call));
  }
}

async function setVcpus(ctx: Ctx, self: Self, patch: Patch<'VM'>): Promise<void> {
  checkVcpus({ ...ctx.db.get('VM', self), ...patch });
  await put(ctx, self, patch);
}

type MapField = 'other_config' | 'platform' | 'blocked_operations' | 'NVRAM' | 'VCPUs_params';
function addKey(ctx: Ctx, self: Self, field: MapField, key: string, value: string): Promise<void> {
  const map = ctx.db.get('VM', self)[field] as Readonly<Record<string, string>>;
  if (Object.hasOwn(map, key))
    throw fail('MAP_DUPLICATE_KEY', { type: 'VM', param_name: field, uuid: ctx.db.get('VM', self).uuid, key });
  return put(ctx, self, { [field]: { ...map, [key]: value } });
}
function removeKey(ctx: Ctx, self: Self, field: MapField, key: string): Promise<void> {
  const map = { ...(ctx.db.get('VM', self)[field] as Readonly<Record<string, string>>) };
  delete map[key];
  return put(ctx, self, { [field]: map });
}

/** Device numbers that are free, up to `count`. */
function freeDevices(used: ReadonlySet<number>, count: number): string[] {
  return Array.from({ length: count }, (_, i) => i)
    .filter((i) => !used.has(i))
    .map(String);
}

function notNegative(field: string, value: number): number {
  if (value < 0) throw fail('VALUE_NOT_SUPPORTED', { field, value: String(value), reason: 'It is 0 or more' });
  return value;
}

const hostsFor = (ctx: Ctx): Ref<'host'>[] => [...ctx.db.refs('host')].filter((h) => ctx.db.get('host', h).enabled);

export const vmConfig = {
  set_memory_dynamic_max: (ctx, a) => setMemory(ctx, a.self, { memory_dynamic_max: a.value }),
  set_memory_dynamic_min: (ctx, a) => setMemory(ctx, a.self, { memory_dynamic_min: a.value }),
  set_memory_dynamic_range: (ctx, a) =>
    setMemory(ctx, a.self, { memory_dynamic_min: a.min, memory_dynamic_max: a.max }),
  set_memory_static_max: (ctx, a) => setMemory(ctx, a.self, { memory_static_max: a.value }),
  set_memory_static_min: (ctx, a) => setMemory(ctx, a.self, { memory_static_min: a.value }),
  set_memory_static_range: (ctx, a) => setMemory(ctx, a.self, { memory_static_min: a.min, memory_static_max: a.max }),
  set_memory_limits: (ctx, a) =>
    setMemory(ctx, a.self, {
      memory_static_min: a.static_min,
      memory_static_max: a.static_max,
      memory_dynamic_min: a.dynamic_min,
      memory_dynamic_max: a.dynamic_max,
    }),
  /** One number for all: the static minimum is lowered when it would be in the way. */
  set_memory(ctx, a) {
    const memory_static_min = Math.min(ctx.db.get('VM', a.self).memory_static_min, a.value);
    return setMemory(ctx, a.self, {
      memory_static_min,
      memory_dynamic_min: a.value,
      memory_dynamic_max: a.value,
      memory_static_max: a.value,
    });
  },
  set_VCPUs_max: (ctx, a) => setVcpus(ctx, a.self, { VCPUs_max: a.value }),
  set_VCPUs_at_startup: (ctx, a) => setVcpus(ctx, a.self, { VCPUs_at_startup: a.value }),
  set_HVM_shadow_multiplier: (ctx, a) => put(ctx, a.self, { HVM_shadow_multiplier: a.value }),
  compute_memory_overhead: (ctx, a) => ctx.db.get('VM', a.vm).memory_overhead,
  async maximise_memory(ctx, a) {
    const overhead = ctx.db.get('VM', a.self).memory_overhead;
    const page = 4096;
    return Math.max(0, Math.floor((a.total - overhead) / page) * page);
  },
  get_cooperative: () => true,

  set_is_default_template(ctx, a) {
    if (a.value && !ctx.db.get('VM', a.vm).is_a_template)
      throw fail('OPERATION_NOT_ALLOWED', { reason: 'Only a template can be a default template' });
    return put(ctx, a.vm, { is_default_template: a.value });
  },
  set_is_a_template: (ctx, a: { self: Self; value: boolean }) => setTemplate(ctx, a.self, a.value),
  set_ha_restart_priority(ctx, a) {
    if (!['', 'restart', 'best-effort'].includes(a.value))
      throw fail('INVALID_VALUE', { field: 'ha_restart_priority', value: a.value });
    return put(ctx, a.self, { ha_restart_priority: a.value });
  },
  set_ha_always_run: (ctx, a) => put(ctx, a.self, { ha_always_run: a.value }),
  set_start_delay: (ctx, a) => put(ctx, a.self, { start_delay: notNegative('start_delay', a.value) }),
  set_shutdown_delay: (ctx, a) => put(ctx, a.self, { shutdown_delay: notNegative('shutdown_delay', a.value) }),
  set_order: (ctx, a) => put(ctx, a.self, { order: notNegative('order', a.value) }),
  set_actions_after_crash: (ctx, a) => put(ctx, a.self, { actions_after_crash: a.value }),
  set_domain_type: (ctx, a) => put(ctx, a.self, { domain_type: a.value }),
  set_HVM_boot_policy: (ctx, a) =>
    put(ctx, a.self, { HVM_boot_policy: a.value, domain_type: a.value === '' ? 'pv' : 'hvm' }),
  set_HVM_boot_params: (ctx, a: { self: Self; value: Readonly<Record<string, string>> }) =>
    put(ctx, a.self, { HVM_boot_params: a.value }),
  set_PV_kernel: (ctx, a: { self: Self; value: string }) => put(ctx, a.self, { PV_kernel: a.value }),
  set_PV_ramdisk: (ctx, a: { self: Self; value: string }) => put(ctx, a.self, { PV_ramdisk: a.value }),
  set_suspend_VDI(ctx, a) {
    if (a.value !== nullRef) ctx.db.get('VDI', a.value);
    return put(ctx, a.self, { suspend_VDI: a.value });
  },
  set_appliance(ctx, a) {
    if (a.value !== nullRef) ctx.db.get('VM_appliance', a.value);
    return put(ctx, a.self, { appliance: a.value });
  },
  set_has_vendor_device: (ctx, a) => put(ctx, a.self, { has_vendor_device: a.value }),
  set_bios_strings: (ctx, a) => setBiosStrings(ctx, a.self, a.value),
  copy_bios_strings: (ctx, a) => setBiosStrings(ctx, a.vm, ctx.db.get('host', a.host).bios_strings),

  set_blocked_operations: (ctx, a) => put(ctx, a.self, { blocked_operations: a.value }),
  add_to_blocked_operations: (ctx, a) => addKey(ctx, a.self, 'blocked_operations', a.key, a.value),
  remove_from_blocked_operations: (ctx, a) => removeKey(ctx, a.self, 'blocked_operations', a.key),
  set_other_config: (ctx, a) => put(ctx, a.self, { other_config: a.value }),
  add_to_other_config: (ctx, a) => addKey(ctx, a.self, 'other_config', a.key, a.value),
  remove_from_other_config: (ctx, a) => removeKey(ctx, a.self, 'other_config', a.key),
  set_platform: (ctx, a) => put(ctx, a.self, { platform: a.value }),
  add_to_platform: (ctx, a) => addKey(ctx, a.self, 'platform', a.key, a.value),
  remove_from_platform: (ctx, a) => removeKey(ctx, a.self, 'platform', a.key),
  set_NVRAM: (ctx, a) => putNvram(ctx, a.self, a.value),
  async add_to_NVRAM(ctx, a) {
    await addKey(ctx, a.self, 'NVRAM', a.key, a.value);
    await giveVariables(ctx, a.self);
  },
  async remove_from_NVRAM(ctx, a) {
    await removeKey(ctx, a.self, 'NVRAM', a.key);
    await giveVariables(ctx, a.self);
  },

  get_allowed_VBD_devices(ctx, a) {
    const used = new Set(ctx.db.get('VM', a.vm).VBDs.map((r) => drivePosition(ctx.db.get('VBD', r).userdevice)));
    return freeDevices(used, 16);
  },
  get_allowed_VIF_devices(ctx, a) {
    const used = new Set(ctx.db.get('VM', a.vm).VIFs.map((r) => Number(ctx.db.get('VIF', r).device)));
    return freeDevices(used, 8);
  },
  get_possible_hosts(ctx, a) {
    ctx.db.get('VM', a.vm);
    return hostsFor(ctx);
  },
  async assert_can_boot_here(ctx, a) {
    const vm = ctx.db.get('VM', a.self);
    if (!ctx.db.get('host', a.host).enabled) throw fail('HOST_DISABLED', { host: a.host });
    for (const r of vm.VBDs) {
      const vdi = ctx.db.find('VDI', ctx.db.get('VBD', r).VDI);
      const sr = vdi && ctx.db.get('SR', vdi.SR);
      if (sr && !sr.PBDs.some((p) => ctx.db.get('PBD', p).host === a.host && ctx.db.get('PBD', p).currently_attached)) {
        throw fail('VM_REQUIRES_SR', { vm: a.self, sr: vdi.SR });
      }
    }
    const { memoryTotal, memoryCommitted } = await ask(ctx, () => ctx.xenops.host.stat({}));
    const available = memoryTotal - memoryCommitted;
    if (vm.memory_static_max > available)
      throw fail('HOST_NOT_ENOUGH_FREE_MEMORY', { needed: vm.memory_static_max, available });
  },
  assert_agile(ctx, a) {
    for (const r of ctx.db.get('VM', a.self).VBDs) {
      const vdi = ctx.db.find('VDI', ctx.db.get('VBD', r).VDI);
      if (vdi && !ctx.db.get('SR', vdi.SR).shared) throw fail('VM_REQUIRES_SR', { vm: a.self, sr: vdi.SR });
    }
  },
  assert_operation_valid(ctx, a) {
    const refused = refuseVm(a.op as VmOperation, ctx.db.get('VM', a.self), a.self);
    if (refused) throw refused();
  },
  update_allowed_operations(ctx, a) {
    ctx.db.write((w) => refreshVm(ctx.db, w, a.self));
  },
  get_boot_record: (ctx, a) => ({ ...bootRecord(ctx.db.get('VM', a.self)) }),
} satisfies SomeHandlers<typeof VM>;

/** The variables that the record holds become the machine's. */
async function giveVariables(ctx: Ctx, self: Self): Promise<void> {
  const { efi } = recordedFirmware(ctx, self);
  const { tpm } = await firmwareOf(ctx, self);
  await giveFirmware(ctx, self, { efi, tpm });
}
async function putNvram(ctx: Ctx, self: Self, NVRAM: Readonly<Record<string, string>>): Promise<void> {
  await put(ctx, self, { NVRAM });
  await giveVariables(ctx, self);
}

/** A template is not registered with the domain manager; a VM is. */
async function setTemplate(ctx: Ctx, self: Self, value: boolean): Promise<void> {
  const vm: Rec<'VM'> = ctx.db.get('VM', self);
  if (vm.is_a_template === value) return;
  if (value) {
    const refused = refuseVm('make_into_template', vm, self);
    if (refused) throw refused();
    const firmware = await firmwareOf(ctx, self);
    ctx.db.write((w) => {
      w.set('VM', self, { is_a_template: true });
      refreshVm(ctx.db, w, self);
    });
    await giveFirmware(ctx, self, firmware);
    await ask(ctx, () => ctx.registrar.remove(vm.uuid));
    return;
  }
  await put(ctx, self, { is_a_template: false, is_default_template: false, is_a_snapshot: false });
  const firmware = recordedFirmware(ctx, self);
  if (!isNothing(firmware)) await giveFirmware(ctx, self, firmware);
}

function setBiosStrings(ctx: Ctx, self: Self, value: Readonly<Record<string, string>>): Promise<void> {
  if (Object.keys(ctx.db.get('VM', self).bios_strings).length > 0) throw fail('VM_BIOS_STRINGS_ALREADY_SET', {});
  return put(ctx, self, { bios_strings: value });
}
