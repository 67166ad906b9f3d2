/** The steps of taking a snapshot of disks that a guest writes to. */

import { xenopsErrors } from '../contracts/xenops.ts';
import type { Atomic } from './atomics.ts';
import type { Backend } from './backend.ts';
import { inWords, type Neighbours } from './media.ts';
import type { DiskToFreeze } from './record.ts';

const atomic = <A>(row: Atomic<A>): Atomic<A> => row;
const diskText = ({ disk }: { readonly disk: DiskToFreeze }) => ` ${disk.vbd} vdi ${disk.vdi} as ${disk.to}`;

export const snapshotAtomics = {
  /** There is no way back, and no need of one: the disk holds the same, whether the guest goes over to the new layer or not. */
  'VBD.freeze': atomic<{ readonly vm: string; readonly disk: DiskToFreeze }>({
    weight: 1,
    deadlineS: 120,
    text: diskText,
    run: (g, { vm, disk }) => freeze(g, vm, disk),
  }),
  /** They go on by themselves when nobody lets them. */
  'Guest.freeze': atomic<{ readonly vm: string }>({
    weight: 1,
    deadlineS: 60,
    text: () => '',
    run: (g, { vm }, call) => g.backend.guest?.freeze?.(vm, call) ?? Promise.reject(noAgent(vm)),
    undo: (g, { vm }) => g.backend.guest?.thaw?.(vm) ?? Promise.resolve(),
  }),
  'Guest.thaw': atomic<{ readonly vm: string }>({
    weight: 1,
    deadlineS: 60,
    text: () => '',
    run: (g, { vm }) => g.backend.guest?.thaw?.(vm) ?? Promise.resolve(),
  }),
  /** The moment of the snapshot, for all disks. */
  'VM.pivot': atomic<{ readonly vm: string; readonly disks: readonly DiskToFreeze[] }>({
    weight: 1,
    deadlineS: 120,
    text: ({ disks }) => ` ${disks.map(({ vbd }) => vbd).join(' ')}`,
    run: (g, { vm, disks }) => pivot(g, vm, disks),
  }),
  'VDI.snapshot': atomic<{ readonly disk: DiskToFreeze }>({
    weight: 1,
    deadlineS: 120,
    text: diskText,
    run: (g, { disk: { sr, vdi, to, name } }) =>
      inWords('Storage_error', () => g.storage.vdi.snapshot({ sr, vdi, to, ...(name === undefined ? {} : { name }) })),
    undo: (g, { disk }) => dropSnapshot(g, disk),
  }),
};

const noAgent = (vm: string) => xenopsErrors.make('Failed_to_freeze', { vm, reason: 'this ground asks no agents' });
function freeze(g: Neighbours, vm: string, { sr, vdi, to }: DiskToFreeze) {
  return inWords('Storage_error', () => g.storage.vdi.freeze({ sr, vdi, user: vm, to }));
}
/** The guest goes over to the new layers of its disks, at one moment. Done twice it changes nothing. */
export async function pivot(g: Neighbours, vm: string, disks: readonly DiskToFreeze[]): Promise<void> {
  const layers = await Promise.all(
    disks.map(async (disk) => ({ id: disk.vbd, to: disk.to, disk: await freeze(g, vm, disk) })),
  );
  await pivotOf(g.backend)(vm, layers);
}
/** Nobody was told of the snapshot yet. */
export async function dropSnapshot(g: Neighbours, { sr, to }: DiskToFreeze): Promise<void> {
  await inWords('Storage_error', () => g.storage.vdi.destroy({ sr, vdi: to }));
}
/** Unimplemented. */
export function pivotOf(backend: Backend): NonNullable<Backend['vbd']['pivot']> {
  const { pivot } = backend.vbd;
  if (pivot) return pivot;
  const what = 'a snapshot of the disks of a VM that runs (shut it down or suspend it, or take a checkpoint)';
  throw xenopsErrors.make('Unimplemented', { function: what, backend: backend.name });
}
