/** Changes to a VM that runs: virtual CPUs, memory, keys. */
import type { Call } from '../contracts/contract.ts';
import { xenopsErrors } from '../contracts/xenops.ts';
import type { Core } from './core.ts';
import { guard, needsCapability } from './guard.ts';
import { operate } from './operation.ts';
import { keysPlan, memoryPlan, vcpusPlan } from './plans/adjust.ts';
import { runOf } from './record.ts';

export function setVcpus(core: Core, id: string, count: number, call?: Call): Promise<void> {
  return operate(core, id, 'setVcpus', call, async (op) => {
    const { record } = op;
    guard('setVcpus', record);
    const run = runOf(record);
    const { max, current } = run.spec.vcpus;
    if (count < 1 || count > max) throw xenopsErrors.make('Invalid_vcpus', { count, max });
    needsCapability(core.backend, 'vcpu-hotplug', 'VM.setVcpus');
    await op.run(vcpusPlan(id, { count, was: record.live?.vcpus ?? current }));
    record.run = { ...run, spec: { ...run.spec, vcpus: { max, current: count } } };
    op.changed = true;
  });
}
export function setMemoryTarget(core: Core, id: string, bytes: number, call?: Call): Promise<void> {
  return operate(core, id, 'setMemoryTarget', call, async (op) => {
    const { record } = op;
    guard('setMemoryTarget', record);
    const { staticMax } = runOf(record).spec.memory;
    if (bytes < 1 || bytes > staticMax) {
      throw xenopsErrors.make('Bad_spec', { key: 'bytes', reason: `${bytes} is not between 1 and ${staticMax}` });
    }
    needsCapability(core.backend, 'balloon', 'VM.setMemoryTarget');
    await op.run(memoryPlan(id, { bytes, was: record.live?.memoryTarget ?? staticMax }));
  });
}
export function sendKeys(
  core: Core,
  id: string,
  a: { readonly kind: 'sysrq' | 'trigger'; readonly value: string },
  call?: Call,
): Promise<void> {
  return operate(core, id, 'sendKeys', call, async (op) => {
    guard('sendKeys', op.record);
    needsCapability(core.backend, a.kind, `VM.sendKeys ${a.kind}`);
    await op.run(keysPlan(id, a));
  });
}
