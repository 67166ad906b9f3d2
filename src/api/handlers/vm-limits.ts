/** What memory and CPU settings of a VM are possible. */
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';

type Memory = Pick<Rec<'VM'>, 'memory_static_min' | 'memory_dynamic_min' | 'memory_dynamic_max' | 'memory_static_max'>;

/** static_min ≤ dynamic_min ≤ dynamic_max ≤ static_max, in bytes; MEMORY_CONSTRAINT_VIOLATION says which is broken. */
export function checkMemory(m: Memory): void {
  const steps = ['memory_static_min', 'memory_dynamic_min', 'memory_dynamic_max', 'memory_static_max'] as const;
  if (m.memory_static_max <= 0)
    throw fail('MEMORY_CONSTRAINT_VIOLATION', {
      constraint: `memory_static_max must be above 0 bytes, not ${m.memory_static_max}`,
    });
  for (let i = 0; i + 1 < steps.length; i++) {
    const [low, high] = [steps[i]!, steps[i + 1]!];
    if (m[low] < 0 || m[low] > m[high])
      throw fail('MEMORY_CONSTRAINT_VIOLATION', { constraint: `0 ≤ ${low} (${m[low]}) ≤ ${high} (${m[high]})` });
  }
}

/** 1 ≤ at_startup ≤ max ≤ 254. */
export function checkVcpus(vm: Pick<Rec<'VM'>, 'VCPUs_max' | 'VCPUs_at_startup'>): void {
  if (vm.VCPUs_max < 1 || vm.VCPUs_max > 254)
    throw fail('INVALID_VALUE', { field: 'VCPUs_max', value: String(vm.VCPUs_max) });
  if (vm.VCPUs_at_startup < 1 || vm.VCPUs_at_startup > vm.VCPUs_max) {
    throw fail('INVALID_VALUE', { field: 'VCPUs_at_startup', value: String(vm.VCPUs_at_startup) });
  }
}
