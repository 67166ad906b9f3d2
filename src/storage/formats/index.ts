/** The formats of transfers. */
import type { Format } from './format.ts';
import { qcow2 } from './qcow2.ts';
import { framed, raw } from './raw.ts';
import { vhd } from './vhd.ts';
import { vmdk, vmdkStored } from './vmdk.ts';

export const formats: Readonly<Record<'raw' | 'framed' | 'vhd' | 'qcow2' | 'vmdk' | 'vmdk-stored', Format>> = {
  raw,
  framed,
  vhd,
  qcow2,
  vmdk,
  'vmdk-stored': vmdkStored,
};
