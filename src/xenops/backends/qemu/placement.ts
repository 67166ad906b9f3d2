/** Gives devices their places, so that a resumed guest finds each where it was. Pure. */
import type { Port } from '../../../contracts/network.ts';
import type { OpenDisk } from '../../../contracts/storage.ts';
import { type VbdSpec, type VifSpec, xenopsErrors } from '../../../contracts/xenops.ts';
import { connectorsOf, slotsOf } from './machine.ts';
import type { DomainRecord, Drive, Nic } from './record.ts';

function freeSlot(record: DomainRecord, what: string): number {
  const taken = new Set([...record.drives, ...record.nics].map((d) => d.slot));
  const count = slotsOf[record.machine.type];
  for (let slot = 0; slot < count; slot++) if (!taken.has(slot)) return slot;
  throw xenopsErrors.make('Bad_spec', {
    key: what,
    reason: `all ${count} places of the machine "${record.machine.type}" for drives and interfaces are taken`,
  });
}
function freeConnector(record: DomainRecord, what: string): number {
  const taken = new Set(record.drives.map((d) => d.connector));
  const count = connectorsOf[record.machine.type];
  for (let n = 0; n < count; n++) if (!taken.has(n)) return n;
  throw xenopsErrors.make('Bad_spec', {
    key: what,
    reason: `the machine "${record.machine.type}" has ${count} connectors for CD and IDE drives, all taken`,
  });
}
/** The lowest `prefixN` that is free: ids of doors may hold anything, QEMU's may not. */
function freeName(prefix: string, taken: readonly { device: string }[], first: number): string {
  const names = new Set(taken.map((t) => t.device));
  for (let n = first; ; n++) if (!names.has(`${prefix}${n}`)) return `${prefix}${n}`;
}

/** `running`: the guest runs, so that the drive needs a place where something can be plugged. */
export function placeDrive(
  record: DomainRecord,
  spec: VbdSpec,
  disk: OpenDisk | null,
  { block, running = false }: { readonly block: boolean; readonly running?: boolean },
): Drive {
  const what = `vbds.${spec.id}`;
  if (spec.type !== 'CD' && disk === null)
    throw xenopsErrors.make('Bad_spec', { key: what, reason: 'a disk drive cannot be empty' });
  const late = running && spec.type === 'CD' && record.machine.type !== 'microvm';
  const onConnector = !late && (spec.type === 'CD' || record.machine.diskBus === 'ide');
  return {
    spec,
    disk,
    block,
    device: freeName('drive', record.drives, spec.position),
    slot: onConnector ? -1 : freeSlot(record, what),
    connector: onConnector ? freeConnector(record, what) : -1,
  };
}
export function placeNic(record: DomainRecord, spec: VifSpec, port: Port): Nic {
  return { spec, port, device: freeName('nic', record.nics, spec.position), slot: freeSlot(record, `vifs.${spec.id}`) };
}
