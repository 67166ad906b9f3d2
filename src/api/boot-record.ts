/** What a VM was started with: `last_booted_record` keeps the fields that a boot settles, as JSON. */
import type { Rec } from '../datamodel/index.ts';

type Vm = Rec<'VM'>;
const settled = [
  'memory_static_max',
  'memory_static_min',
  'memory_dynamic_max',
  'memory_dynamic_min',
  'VCPUs_max',
  'VCPUs_at_startup',
  'VCPUs_params',
  'domain_type',
  'PV_bootloader',
  'PV_bootloader_args',
  'PV_kernel',
  'PV_ramdisk',
  'PV_args',
  'PV_legacy_args',
  'HVM_boot_policy',
  'HVM_boot_params',
  'HVM_shadow_multiplier',
  'platform',
  'PCI_bus',
  'VBDs',
  'VIFs',
] as const satisfies readonly (keyof Vm)[];

/** The text to keep of a VM that has just been started. */
export const bootText = (vm: Vm): string => JSON.stringify(Object.fromEntries(settled.map((name) => [name, vm[name]])));

/** The record as it was at the last boot of a VM that is not halted; of a halted one, as it is. */
export function bootRecord(vm: Vm): Vm {
  const booted = vm.power_state === 'Halted' ? '' : vm.last_booted_record;
  return booted === '' ? vm : { ...vm, ...(JSON.parse(booted) as Partial<Vm>) };
}
