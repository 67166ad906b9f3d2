/** Where a disk lies among others, as keys of `VDI.sm_config`. */
import type { VdiInfo } from '../contracts/storage.ts';

/**
 * `sm_config` with `chain-depth` (how many layers the disk is in), `chain-base` (the id of the one below its own) and
 * `chain-shared-with` (the UUIDs of the disks beside it whose own layers lie on that too); without them for a disk in one layer.
 */
export function chainConfig(
  sm_config: Readonly<Record<string, string>>,
  { chain }: Pick<VdiInfo, 'chain'>,
): Record<string, string> {
  const { 'chain-depth': _, 'chain-base': __, 'chain-shared-with': ___, ...others } = sm_config;
  if (!chain || chain.base === null) return others;
  const found = { ...others, 'chain-depth': String(chain.depth), 'chain-base': chain.base };
  return chain.sharedWith.length === 0 ? found : { ...found, 'chain-shared-with': chain.sharedWith.join(',') };
}
