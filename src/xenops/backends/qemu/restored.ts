/** The domain that a saved guest needs: its machine and the places of its devices as they were, disks and ports as they are now. */
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { VbdAttachment, VifAttachment } from '../../backend.ts';
import type { Accelerator } from './machine.ts';
import type { DomainRecord, Drive, Nic } from './record.ts';

export interface Restored {
  readonly record: DomainRecord;
  /** What the guest did not have when it was saved: plugged once it is there. */
  readonly late: { readonly drives: readonly VbdAttachment[]; readonly nics: readonly VifAttachment[] };
}

interface Device {
  readonly spec: { readonly id: string; readonly position: number };
}
/**
 * What stands for a saved device now: the one of its name, or, since a VM that was brought back to a snapshot has devices of
 * new names, the new one in its place.
 */
function successor<D extends Device>(was: D['spec'], now: readonly D[], saved: readonly Device[]): D | undefined {
  const isNew = (d: D) => !saved.some(({ spec }) => spec.id === d.spec.id);
  return now.find((d) => d.spec.id === was.id) ?? now.find((d) => d.spec.position === was.position && isNew(d));
}

/** A QEMU that opens a disk opens all its layers as one. */
const onNewQemu = ({ layers: _, ...drive }: Drive): Drive => drive;

/** Throws Io_error when the saved guest cannot be made here. */
export function restoredRecord(now: DomainRecord, saved: DomainRecord, accelerator: Accelerator): Restored {
  const refuse = (reason: string) =>
    xenopsErrors.make('Io_error', { reason: `the saved guest cannot be resumed: ${reason}` });
  if (saved.machine.accelerator !== accelerator)
    throw refuse(`it ran with ${saved.machine.accelerator}, and this host runs guests with ${accelerator}`);
  const drives = saved.drives.map((was): Drive => {
    const is = successor(was.spec, now.drives, saved.drives);
    if (is) return onNewQemu({ ...was, spec: is.spec, disk: is.disk, block: is.block });
    if (was.spec.type === 'CD') return { ...was, disk: null };
    if (was.cut) return was;
    throw refuse(`its drive ${was.spec.id} is not attached`);
  });
  const nics = saved.nics.map((was): Nic => {
    const is = successor(was.spec, now.nics, saved.nics);
    if (is) return { ...was, spec: is.spec, port: is.port };
    return { ...was, cut: true };
  });
  const had = (list: readonly Device[], { spec }: Device) =>
    list.some((was) => was.spec.id === spec.id || was.spec.position === spec.position);
  const { memory, vcpus, tpm, biosStrings } = saved.spec;
  // A guest that has devices of a host is never saved.
  const { tpm: _, biosStrings: __, pcis: ___, usbs: ____, ...described } = now.spec;
  const kept = { ...(tpm === undefined ? {} : { tpm }), ...(biosStrings === undefined ? {} : { biosStrings }) };
  return {
    record: {
      ...now,
      spec: { ...described, ...kept, memory, vcpus, boot: saved.spec.boot },
      machine: saved.machine,
      drives,
      nics,
      vcpus: saved.vcpus,
      ...(saved.vcpusPlugged === undefined ? {} : { vcpusPlugged: saved.vcpusPlugged }),
      memoryTarget: saved.memoryTarget,
      ...(saved.frozen ? { frozen: true } : {}),
    },
    late: {
      drives: now.drives.filter((d) => !had(saved.drives, d)),
      nics: now.nics.filter((n) => !had(saved.nics, n)),
    },
  };
}
