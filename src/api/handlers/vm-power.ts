/** VM: power operations. Each asks the domain manager and answers when the records show the new state. */
import type { VM } from '../../datamodel/classes/vm.ts';
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import { ask } from '../ask.ts';
import type { Ctx, SomeHandlers, Working } from '../context.ts';
import { giveRecorded } from '../firmware.ts';
import { dropSuspendImage } from './suspend-image.ts';
import { createDisk } from './vdi-work.ts';
import { applyForwards, forwardsKey } from './vif-forwards.ts';

/** Seconds that a guest gets to shut down when it was asked to; `platform:shutdown_timeout` overrides. */
const shutdownTimeoutS = 300;

/** Runs an operation of the domain manager on the VM, after its description was brought up to date. */
export async function operate(
  ctx: Working,
  vm: Ref<'VM'>,
  f: (id: string, call: Parameters<Parameters<typeof ask>[1]>[0]) => Promise<void>,
): Promise<void> {
  const { uuid: id } = ctx.db.get('VM', vm);
  ctx.task.cancellable();
  await ask(ctx, async (call) => {
    await ctx.registrar.push(vm);
    await f(id, call);
    await ctx.xenops.barrier.wait({ vm: id });
  });
}

export function assertHere(ctx: Ctx, host: string): void {
  const { enabled } = ctx.db.get('host', host as Ref<'host'>);
  if (host !== ctx.host) throw fail('HOST_OFFLINE', { host });
  if (!enabled) throw fail('HOST_DISABLED', { host });
}

async function start(ctx: Ctx, vm: Ref<'VM'>, paused: boolean): Promise<void> {
  const record = ctx.db.get('VM', vm);
  if (record.affinity !== nullRef && ctx.db.has('host', record.affinity)) assertHere(ctx, record.affinity);
  if (!ctx.db.get('host', ctx.host).enabled) throw fail('NO_HOSTS_AVAILABLE', {});
  for (const vif of record.VIFs) {
    if (forwardsKey in ctx.db.get('VIF', vif).other_config) await ask(ctx, () => applyForwards(ctx, vif));
  }
  await giveRecorded(ctx, vm);
  await operate(ctx, vm, (id, call) => ctx.xenops.vm.start({ id, paused }, call));
  ctx.db.set('VM', vm, { ha_always_run: record.ha_restart_priority !== '' });
}

async function cleanShutdown(ctx: Ctx, vm: Ref<'VM'>): Promise<void> {
  const timeoutS = Number(ctx.db.get('VM', vm).platform['shutdown_timeout'] ?? shutdownTimeoutS) || shutdownTimeoutS;
  await operate(ctx, vm, (id, call) => ctx.xenops.vm.shutdown({ id, timeoutS }, call));
}

/** Destroys the domain, and the suspend image of a suspended VM. */
export async function hardShutdown(ctx: Ctx, vm: Ref<'VM'>): Promise<void> {
  const { power_state, suspend_VDI } = ctx.db.get('VM', vm);
  if (power_state === 'Suspended') {
    await operate(ctx, vm, (id, call) => ctx.xenops.vm.resetPower({ id }, call));
    await dropSuspendImage(ctx, vm, suspend_VDI);
    return;
  }
  await operate(ctx, vm, (id, call) => ctx.xenops.vm.shutdown({ id, timeoutS: null }, call));
}

/** Where suspend images go: the VM's own choice, else the host's, else the pool's, else the default repository. */
function suspendSr(ctx: Ctx, vm: Ref<'VM'>): Ref<'SR'> {
  const pool = ctx.db.get('pool', ctx.pool);
  const candidates = [
    ctx.db.get('VM', vm).suspend_SR,
    ctx.db.get('host', ctx.host).suspend_image_sr,
    pool.suspend_image_SR,
    pool.default_SR,
  ];
  const found = candidates.find((sr) => ctx.db.has('SR', sr));
  if (!found) throw fail('VM_NO_SUSPEND_SR', { vm });
  return found;
}

export async function suspend(ctx: Ctx, vm: Ref<'VM'>): Promise<void> {
  const record = ctx.db.get('VM', vm);
  const sr = suspendSr(ctx, vm);
  // Memory, video memory and device state; the disk is sparse, so room that is not used costs nothing.
  const size = record.memory_static_max + 128 * 1024 * 1024;
  const image = await createDisk(ctx, {
    sr,
    size,
    name: `Suspend image of ${record.name_label}`,
    description: '',
    type: 'suspend',
    format: 'raw',
    managed: true, // …
  });
  const media = { kind: 'vdi', sr: ctx.db.get('SR', sr).uuid, vdi: ctx.db.get('VDI', image).uuid } as const;
  ctx.db.set('VM', vm, { suspend_VDI: image });
  try {
    await operate(ctx, vm, (id, call) => ctx.xenops.vm.suspend({ id, image: media }, call));
  } catch (error) {
    await dropSuspendImage(ctx, vm, image);
    throw error;
  }
}

export async function resume(ctx: Ctx, vm: Ref<'VM'>, paused: boolean): Promise<void> {
  const image = ctx.db.get('VM', vm).suspend_VDI;
  await operate(ctx, vm, (id, call) => ctx.xenops.vm.resume({ id, paused }, call));
  await dropSuspendImage(ctx, vm, image);
}

export const vmPower = {
  start: (ctx, a) => start(ctx, a.vm, a.start_paused),
  start_on(ctx, a) {
    assertHere(ctx, a.host);
    return start(ctx, a.vm, a.start_paused);
  },
  pause: (ctx, a) => operate(ctx, a.vm, (id, call) => ctx.xenops.vm.pause({ id }, call)),
  unpause: (ctx, a) => operate(ctx, a.vm, (id, call) => ctx.xenops.vm.unpause({ id }, call)),
  clean_shutdown: (ctx, a) => cleanShutdown(ctx, a.vm),
  hard_shutdown: (ctx, a) => hardShutdown(ctx, a.vm),
  async shutdown(ctx, a) {
    if (ctx.db.get('VM', a.vm).power_state !== 'Running') return hardShutdown(ctx, a.vm);
    try {
      await cleanShutdown(ctx, a.vm);
    } catch (error) {
      if (ctx.task.signal.aborted) throw error;
      ctx.log.info('the guest did not shut down by itself; its domain is destroyed', {
        vm: a.vm,
        error: String(error),
      });
      if (ctx.db.get('VM', a.vm).power_state !== 'Halted') await hardShutdown(ctx, a.vm);
    }
  },
  clean_reboot(ctx, a) {
    const timeoutS = shutdownTimeoutS;
    return operate(ctx, a.vm, (id, call) => ctx.xenops.vm.reboot({ id, timeoutS }, call));
  },
  hard_reboot: (ctx, a) => operate(ctx, a.vm, (id, call) => ctx.xenops.vm.reboot({ id, timeoutS: null }, call)),
  suspend: (ctx, a) => suspend(ctx, a.vm),
  resume: (ctx, a) => resume(ctx, a.vm, a.start_paused),
  resume_on(ctx, a) {
    assertHere(ctx, a.host);
    return resume(ctx, a.vm, a.start_paused);
  },
  async power_state_reset(ctx, a) {
    const { suspend_VDI } = ctx.db.get('VM', a.vm);
    await operate(ctx, a.vm, (id, call) => ctx.xenops.vm.resetPower({ id }, call));
    await dropSuspendImage(ctx, a.vm, suspend_VDI);
  },
  s3_suspend: (ctx, a) => operate(ctx, a.vm, (id, call) => ctx.xenops.vm.sleep({ id }, call)),
  s3_resume: (ctx, a) => operate(ctx, a.vm, (id, call) => ctx.xenops.vm.wake({ id }, call)),
  async set_shadow_multiplier_live(ctx, a) {
    const { multiplier } = a;
    await operate(ctx, a.self, (id, call) => ctx.xenops.vm.setShadowMultiplier({ id, multiplier }, call));
    ctx.db.set('VM', a.self, { HVM_shadow_multiplier: multiplier });
    await ctx.registrar.push(a.self);
  },
  send_sysrq: (ctx, a) =>
    operate(ctx, a.vm, (id, call) => ctx.xenops.vm.sendKeys({ id, kind: 'sysrq', value: a.key }, call)),
  send_trigger: (ctx, a) =>
    operate(ctx, a.vm, (id, call) => ctx.xenops.vm.sendKeys({ id, kind: 'trigger', value: a.trigger }, call)),
  async set_VCPUs_number_live(ctx, a) {
    const { VCPUs_max } = ctx.db.get('VM', a.self);
    if (a.nvcpu < 1 || a.nvcpu > VCPUs_max) throw fail('INVALID_VALUE', { field: 'nvcpu', value: String(a.nvcpu) });
    await operate(ctx, a.self, (id, call) => ctx.xenops.vm.setVcpus({ id, count: a.nvcpu }, call));
    ctx.db.set('VM', a.self, { VCPUs_at_startup: a.nvcpu });
    await ctx.registrar.push(a.self);
  },
  async set_memory_target_live(ctx, a) {
    const vm = ctx.db.get('VM', a.self);
    if (a.target < vm.memory_static_min || a.target > vm.memory_static_max) {
      throw fail('MEMORY_CONSTRAINT_VIOLATION', {
        constraint: `static_min ≤ target ≤ static_max: ${vm.memory_static_min} ≤ ${a.target} ≤ ${vm.memory_static_max}`,
      });
    }
    await operate(ctx, a.self, (id, call) => ctx.xenops.vm.setMemoryTarget({ id, bytes: a.target }, call));
  },
  async wait_memory_target_live(ctx, a) {
    const { uuid } = ctx.db.get('VM', a.self);
    const closeEnough = 4 * 1024 * 1024;
    for (let i = 0; i < 256; i++) {
      const { state } = await ask(ctx, () => ctx.xenops.vm.stat({ id: uuid }));
      if (Math.abs(state.memoryActual - state.memoryTarget) <= closeEnough) return;
      await ctx.clock.sleep(1000, ctx.task.signal);
    }
    throw fail('VM_MEMORY_TARGET_WAIT_TIMEOUT', [a.self]);
  },
} satisfies SomeHandlers<typeof VM>;
