/** What is known of a domain and kept in its folder, so that it can be adopted and, from a suspend image, made again. */
import type { Port } from '../../../contracts/network.ts';
import type { OpenDisk } from '../../../contracts/storage.ts';
import type { VbdSpec, VifSpec, VmSpec } from '../../../contracts/xenops.ts';
import type { DomainEnd } from '../../backend.ts';
import type { Machine } from './machine.ts';

/** A drive and where it sits. `device` is its id in QEMU; `slot` counts the places for hot-plug, -1 for none (IDE). */
export interface Drive {
  readonly spec: VbdSpec;
  readonly disk: OpenDisk | null;
  readonly device: string;
  readonly slot: number;
  /** Number of the IDE or SATA connector; -1 for virtio: a disk in a slot, or a CD drive behind a SCSI controller in a slot. */
  readonly connector: number;
  /** The disk is a block device of the host. */
  readonly block: boolean;
  /** Taken away by force: the guest still has the device, with nothing behind it. */
  readonly cut?: boolean;
  /** QEMU's names of the layers that the guest went over to while it ran, the newest last. */
  readonly layers?: readonly string[];
}
export interface Nic {
  readonly spec: VifSpec;
  readonly port: Port;
  readonly device: string;
  readonly slot: number;
  readonly cut?: boolean;
}
export interface DomainRecord {
  readonly version: 1;
  readonly spec: VmSpec;
  readonly domid: number;
  /** `created`: a QEMU may be there, but nothing counts on it. `built`: one was set up, or is once it answers. */
  readonly phase: 'created' | 'built';
  /** Seconds since the epoch. */
  readonly startedAt: number;
  readonly machine: Machine;
  readonly drives: readonly Drive[];
  readonly nics: readonly Nic[];
  /** The UUID that the guest knows itself by, where it is or was in a domain of another name. */
  readonly guest?: string;
  /** The domain is being given this name; its folder has that name when it has. */
  readonly becoming?: string;
  /** CPUs that the guest is to use. */
  readonly vcpus: number;
  /** CPUs that are plugged, where they are more. */
  readonly vcpusPlugged?: number;
  /** Bytes. */
  readonly memoryTarget: number;
  readonly process?: { readonly id: string; readonly pid: number; readonly startTime: string };
  readonly end?: DomainEnd;
  /** The guest was asked to reboot: powering off is how it does so. */
  readonly rebooting?: boolean;
  /** How far the guest's clock is from the host's, in seconds, since it set it. */
  readonly timeOffsetS?: number;
  /** The guest's filesystems are, or may be, frozen. */
  readonly frozen?: boolean;
  /** Drives whose disc was changed since `create`. */
  readonly discs: Readonly<Record<string, boolean>>;
}

export const guestOf = ({ guest, spec }: DomainRecord): string => guest ?? spec.id;

/**
 * Whether the QEMU has something to write out before it ends: tables of a qcow2 image, or a firmware's variables. What a guest
 * wrote to a raw disk is with the host's kernel already, so that a QEMU without such may be killed.
 */
export function keepsWrites({ spec, drives }: DomainRecord): boolean {
  return spec.boot.kind === 'uefi' || drives.some(({ disk }) => disk && !disk.readOnly && disk.format !== 'raw');
}

/** Devices of the host hold a guest there: why it can be neither saved nor moved; undefined when it can. */
export function givenTo({ spec }: DomainRecord): string | undefined {
  const all = [
    ...(spec.pcis ?? []).map((address) => `the PCI device ${address}`),
    ...(spec.usbs ?? []).map(({ path }) => `the USB device ${path}`),
  ];
  return all.length > 0 ? `it has ${all.join(', ')} of this host` : undefined;
}
