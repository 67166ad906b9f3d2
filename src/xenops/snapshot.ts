/**
 * Snapshots of the disks of a guest that runs.
 *
 *     Running ──▶ noted, disks frozen ──▶ guest writes to new layers ──▶ snapshots made ──▶ Running
 *                        │ fails, is killed       │                            │
 *                        └────────▶ gone over after all, snapshots dropped ◀───┘
 *
 * Whatever happens in between, each disk holds all that its guest wrote: there is nothing to take back, only to carry through.
 */
import { bestEffort } from '../base/best-effort.ts';
import { type Call, isKind } from '../contracts/contract.ts';
import { type VbdSpec, type Xenops, xenopsErrors } from '../contracts/xenops.ts';
import { dropSnapshot, pivot, pivotOf } from './atomics-snapshot.ts';
import type { Observed } from './backend.ts';
import type { Core } from './core.ts';
import { within } from './deadline.ts';
import { guard } from './guard.ts';

import { operate } from './operation.ts';
import { snapshotPlan } from './plans/snapshot.ts';
import { type DiskToFreeze, runOf, type VmRecord } from './record.ts';

const stepMs = 120_000;
type Args = Parameters<Xenops['vm']['snapshotDisks']>[0];

export async function snapshotDisks(
  core: Core,
  { id, disks, quiesce }: Args,
  call?: Call,
): Promise<{ quiesced: boolean }> {
  let quiesced = false;
  await operate(core, id, 'snapshotDisks', call, async (op) => {
    const { record } = op;
    guard('snapshotDisks', record);
    pivotOf(core.backend);
    const { domid, spec } = runOf(record);
    const wanted = disks.map((disk) => ({ ...disk, vbd: driveOf(spec.vbds, disk).id }));
    if (wanted.length === 0) return;
    const ready = record.power === 'Running' && record.live?.guest?.can.includes('freeze') === true;
    quiesced = quiesce === 'must' || (quiesce === 'try' && ready);
    record.freezing = { domid, disks: wanted, ...(quiesced ? { quiesce: true } : {}) };
    op.changed = true;
    op.touched = true;
    await core.records.note(record);
    try {
      await op.run(snapshotPlan(spec, wanted, { quiesce: quiesced }));
    } catch (error) {
      // Nothing was taken yet, or nobody was told of it.
      if (quiesce !== 'try' || !isKind(error, 'Failed_to_freeze')) throw error;
      core.log.info('a snapshot without the help of the agent', { vm: id, error: error.message });
      quiesced = false;
      await op.run(snapshotPlan(spec, wanted, { quiesce: false }));
    }
    record.freezing = null;
  });
  return { quiesced };
}
/** The plugged drive through which the guest writes to the disk. Does_not_exist. */
function driveOf(vbds: readonly VbdSpec[], { sr, vdi }: Args['disks'][number]): VbdSpec {
  const found = vbds.find(
    ({ mode, media }) => mode === 'RW' && media?.kind === 'vdi' && media.sr === sr && media.vdi === vdi,
  );
  if (!found) throw xenopsErrors.make('Does_not_exist', { what: 'plugged, writable drive with the disk', id: vdi });
  return found;
}

/**
 * In the VM's turn, after a failure or a restart: the guest goes over to the layers that were made for it, and snapshots that nobody
 * was told of are dropped. Throws when that cannot be done now.
 */
export async function settleFreezing(core: Core, record: VmRecord, seen: Observed | undefined): Promise<void> {
  const { freezing, run, id } = record;
  if (!freezing) return;
  const limited = <T>(step: string, f: () => Promise<T>) => {
    const late = () => xenopsErrors.make('Timed_out', { step, vm: id, seconds: stepMs / 1000 });
    return within(core.clock, stepMs, late, f, () => core.reconciler.later(id, `${step} ended after it was given up`));
  };
  // Another domain has opened the disks anew: it writes to the layers on top.
  const same = run?.domid === freezing.domid && seen?.power !== 'ended';
  const there = same ? freezing.disks.filter((disk) => run?.spec.vbds.some((vbd) => holds(vbd, disk))) : [];
  const { guest } = core.backend;
  if (same && freezing.quiesce)
    await bestEffort('filesystems go on by themselves', core.log, () =>
      limited('letting filesystems go on', async () => guest?.thaw?.(id)),
    );
  if (there.length > 0) await limited('going over to new layers', () => pivot(core.ground, id, there));
  for (const disk of freezing.disks) await limited('dropping a snapshot', () => dropSnapshot(core.ground, disk));
  record.freezing = null;
}
const holds = ({ id, media }: VbdSpec, disk: DiskToFreeze): boolean =>
  id === disk.vbd && media?.kind === 'vdi' && media.sr === disk.sr && media.vdi === disk.vdi;
