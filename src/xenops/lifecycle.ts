/**
 * The operations that change a VM's power state.
 *
 *     Halted ──start──▶ Running ◀──unpause/pause──▶ Paused
 *       ▲  ▲              │  ▲
 *       │  └──shutdown────┤  └──resume── Suspended
 *       │                 └──suspend────────▲
 *       │                     Halted ──takeSuspended
 *       └──resetPower── (whatever was found)
 */
import { bestEffort } from '../base/best-effort.ts';
import type { Call } from '../contracts/contract.ts';
import type { Media, VmSpec } from '../contracts/xenops.ts';
import type { DomainEnd } from './backend.ts';
import { type Core, nowS } from './core.ts';
import { guard, guardArrival, needsCapability } from './guard.ts';
import type { HookName, HookReason } from './hooks.ts';
import { expectedSpec } from './kernels.ts';
import { abandonLeaving } from './leaving.ts';
import { force, type Operation, operate } from './operation.ts';
import { pausePlan, unpausePlan } from './plans/adjust.ts';
import { rebootPlan } from './plans/reboot.ts';
import { resumePlan } from './plans/resume.ts';
import { shutdownPlan } from './plans/shutdown.ts';
import { buildPlan, createPlan, startPlan } from './plans/start.ts';
import { suspendPlan } from './plans/suspend.ts';
import { type LastEnd, type Run, runOf } from './record.ts';
import { checkSpec } from './spec.ts';

export function startVm(core: Core, id: string, paused: boolean, call?: Call): Promise<void> {
  return operate(core, id, 'start', call, async (op) => {
    if (op.record.power === 'Running' && !paused) {
      core.log.info('start: it runs already', { vm: id });
      return;
    }
    guard('start', op.record);
    await startNow(core, op, paused);
  });
}
/** Starts from the description. The caller has checked the power state. */
export async function startNow(core: Core, op: Operation, paused: boolean): Promise<void> {
  const { spec } = op.record;
  const made = newRun(core, spec);
  if (core.hooks) await before(core, op, 'vm-pre-start', 'none');
  core.reservations.reserve(spec);
  core.ends.take(spec.id);
  await op.mark('start', made);
  await op.run(startPlan(spec, { domid: made.domid, paused }));
  ended(op, started(core, op, made));
}

/** The first half of a start: a domain that is kept until it is built, or shut down. */
export function createVm(core: Core, id: string, call?: Call): Promise<void> {
  return operate(core, id, 'create', call, async (op) => {
    guard('create', op.record);
    const { spec } = op.record;
    const made = newRun(core, spec);
    core.reservations.reserve(spec);
    core.ends.take(id);
    const bare = { ...made, spec: { ...spec, vbds: [], vifs: [] }, unbuilt: spec };
    await op.mark('start', bare);
    await op.run(createPlan(spec, { domid: made.domid }));
    ended(op, bare);
  });
}
/** The second: with the devices and the kernel that are described now. A failure takes the domain away, as that of a start does. */
export function buildVm(core: Core, id: string, call?: Call): Promise<void> {
  return operate(core, id, 'build', call, async (op) => {
    guard('build', op.record);
    const { unbuilt, ...run } = runOf(op.record);
    if (!unbuilt) return;
    const { vbds, vifs, boot } = op.record.spec;
    // Firmware and boot loaders were settled when the domain was made.
    const later = boot.kind === 'kernel' && unbuilt.boot.kind === 'kernel';
    const spec = { ...unbuilt, vbds, vifs, boot: later ? boot : unbuilt.boot };
    checkSpec(spec);
    await op.mark('start', { ...run, spec });
    await op.run(buildPlan(spec));
    ended(op, started(core, op, { ...run, spec }));
  });
}

export function pauseVm(core: Core, id: string, call?: Call): Promise<void> {
  return operate(core, id, 'pause', call, async (op) => {
    guard('pause', op.record);
    await op.run(pausePlan(id));
  });
}
export function unpauseVm(core: Core, id: string, call?: Call): Promise<void> {
  return operate(core, id, 'unpause', call, async (op) => {
    guard('unpause', op.record);
    await op.run(unpausePlan(id));
  });
}

/** Work that waits for the guest; it gives way to what is done by force. */
export const asked = ['clean shutdown', 'clean reboot'];

export function shutdownVm(core: Core, id: string, timeoutS: number | null, call?: Call): Promise<void> {
  core.ends.interrupt(id, 'stop');
  if (timeoutS === null) core.queue.supersede(id, asked);
  const kind = timeoutS === null ? force : operate;
  return kind(core, id, timeoutS === null ? 'shutdown' : 'clean shutdown', call, async (op) => {
    const { record } = op;
    if (record.power === 'Halted') return;
    guard(timeoutS === null ? 'shutdown' : 'cleanShutdown', record);
    const { spec } = runOf(record);
    const reason = timeoutS === null ? 'hard-shutdown' : 'clean-shutdown';
    if (core.hooks) await before(core, op, 'vm-pre-shutdown', reason);
    if (timeoutS !== null) await op.mark('shutdown');
    await op.run(shutdownPlan(spec, { timeoutS }));
    if (core.hooks) await after(core, op, 'vm-post-destroy', reason);
    const end = core.ends.take(id);
    record.lastEnd = lastEnd(
      core,
      end,
      'poweroff',
      timeoutS === null ? 'powered off by force' : 'shut down on request',
    );
    ended(op, null);
  });
}

export function rebootVm(core: Core, id: string, timeoutS: number | null, call?: Call): Promise<void> {
  const broughtForward = core.ends.interrupt(id, 'go');
  if (timeoutS === null) core.queue.supersede(id, asked);
  return operate(core, id, timeoutS === null ? 'reboot' : 'clean reboot', call, async (op) => {
    const { record } = op;
    if (broughtForward()) {
      // The guest had ended and waited to be restarted: that was the reboot, if it did not fail.
      if (record.power === 'Halted') await startNow(core, op, false);
      return;
    }
    guard(timeoutS === null ? 'reboot' : 'cleanReboot', record);
    await rebootNow(core, op, timeoutS);
    record.lastEnd = lastEnd(core, core.ends.take(id), 'reboot', 'rebooted on request');
  });
}
/** A new domain in the place of the one that runs, or has just ended. */
export async function rebootNow(core: Core, op: Operation, timeoutS: number | null): Promise<void> {
  const { record } = op;
  const { spec } = record;
  const running = runOf(record).spec;
  const made = newRun(core, spec);
  const reason = timeoutS === null ? 'hard-reboot' : 'clean-reboot';
  if (core.hooks) {
    await before(core, op, 'vm-pre-shutdown', reason);
    await before(core, op, 'vm-pre-reboot', reason);
    await before(core, op, 'vm-pre-start', 'none');
  }
  // Refused before the guest is touched when the new one would not fit.
  core.reservations.reserveBoth(running, spec);
  await op.mark('reboot');
  await op.run(rebootPlan(running, spec, { domid: made.domid, timeoutS }));
  if (core.hooks) await after(core, op, 'vm-post-destroy', reason);
  core.reservations.reserve(spec);
  ended(op, started(core, op, made));
}

export function suspendVm(core: Core, id: string, image: Media, call?: Call): Promise<void> {
  return operate(core, id, 'suspend', call, async (op) => {
    const { record } = op;
    guard('suspend', record);
    needsCapability(core.backend, 'suspend', 'VM.suspend');
    const { spec } = runOf(record);
    if (core.hooks) {
      await before(core, op, 'vm-pre-suspend', 'suspend');
      await before(core, op, 'vm-pre-shutdown', 'suspend');
    }
    await op.mark('suspend');
    await op.run(suspendPlan(spec, { image }));
    if (core.hooks) await after(core, op, 'vm-post-destroy', 'suspend');
    record.lastEnd = { reason: 'suspend', detail: 'suspended on request', at: nowS(core) };
    ended(op, null);
  });
}
export function resumeVm(core: Core, id: string, paused: boolean, call?: Call): Promise<void> {
  return operate(core, id, 'resume', call, async (op) => {
    const { record } = op;
    guard('resume', record);
    const { suspended } = record;
    if (!suspended) throw new Error(`${id} is Suspended without an image`);
    const made = newRun(core, suspended.spec);
    if (core.hooks) await before(core, op, 'vm-pre-resume', 'none');
    core.reservations.reserve(suspended.spec);
    await op.mark(paused ? 'resumePaused' : 'resume', made);
    await op.run(resumePlan(suspended.spec, { domid: made.domid, image: suspended.image, paused }));
    if (core.hooks) await after(core, op, 'vm-post-resume', 'none');
    ended(op, started(core, op, made));
  });
}

/** Halted → Suspended, by an image that is there already. */
export function takeSuspended(core: Core, id: string, image: Media, call?: Call): Promise<void> {
  return operate(core, id, 'takeSuspended', call, async (op) => {
    const { record } = op;
    guard('takeSuspended', record);
    needsCapability(core.backend, 'suspend', 'VM.takeSuspended');
    record.suspended = { image, spec: record.spec };
    ended(op, null);
  });
}

/** The owner's programs may refuse: nothing was touched yet. Hook_failed. */
async function before(core: Core, op: Operation, name: HookName, reason: HookReason): Promise<void> {
  const { id, run } = op.record;
  await core.hooks?.run({ name, vm: id, reason, ...(run ? { domid: run.domid } : {}) }, op.turn.signal);
}
/** It has been done: a program that fails changes nothing about that. */
async function after(core: Core, op: Operation, name: HookName, reason: HookReason): Promise<void> {
  const run = () => core.hooks?.run({ name, vm: op.record.id, reason }, op.turn.signal);
  await bestEffort(`${name} of ${op.record.id} runs after it was done`, core.log, run);
}

/** → Halted, from anywhere. A domain that cannot be destroyed is an error: its guest may still run. */
export function resetPower(core: Core, id: string, call?: Call): Promise<void> {
  core.ends.interrupt(id, 'stop');
  core.queue.supersede(id, asked);
  return force(core, id, 'resetPower', call, async (op) => {
    const { record } = op;
    if (record.run || record.power !== 'Halted') {
      record.lastEnd = { reason: 'poweroff', detail: 'its power state was reset', at: nowS(core) };
    }
    await abandonLeaving(core, record);
    await op.run(shutdownPlan(record.run?.spec ?? record.spec, { timeoutS: null }));
    record.suspended = null;
    ended(op, null);
  });
}

/** Why a run ended, as the guest's own end says if it says more than was asked for. */
export function lastEnd(core: Core, end: DomainEnd | undefined, asked: LastEnd['reason'], detail: string): LastEnd {
  const byItself = end && end.reason !== 'poweroff' && end.reason !== 'reboot';
  return byItself ? { ...end, at: nowS(core) } : { reason: asked, detail, at: nowS(core) };
}
/** The operation is done: this is what runs now. */
export function ended(op: Operation, run: Run | null): void {
  op.record.run = run;
  op.record.operation = null;
  op.changed = true;
}
/** Bad_spec, Unimplemented: nothing was touched. */
function newRun(core: Core, spec: VmSpec): Run {
  guardArrival(spec.id, undefined, core.incoming.specOf(spec.id) !== undefined);
  checkSpec(spec);
  core.backend.vm.check(core.ground.kernels ? expectedSpec(spec) : spec);
  return { domid: core.nextDomid(), startedAt: nowS(core), spec, boot: core.boot };
}
function started(core: Core, op: Operation, made: Run): Run {
  const startedAt = nowS(core);
  op.record.startedAt = startedAt;
  return { ...made, startedAt };
}
