/** What is known of a domain and kept in its folder, so that a later toolstack can take it over. */
import type { OpenDisk } from '../../../contracts/storage.ts';
import type { VbdSpec, VifSpec, VmSpec } from '../../../contracts/xenops.ts';
import type { DomainEnd } from '../../backend.ts';

/** A drive, and what serves it. */
export interface Drive {
  readonly spec: VbdSpec;
  /** Null: a CD drive without a disc, which the guest does not see. */
  readonly disk: OpenDisk | null;
  /** The number that the guest knows it by (51712 is xvda). */
  readonly device: number;
  readonly backendDomid: number;
  /**
   * `vbd`: the kernel's blkback over a block device; `qdisk`: QEMU over any format; `emulated`: a drive of the machine that QEMU
   * plays for an HVM guest.
   */
  readonly kind: 'vbd' | 'qdisk' | 'emulated';
  /** The loop device that was made of a file. */
  readonly loop?: string;
}
export interface Nic {
  readonly spec: VifSpec;
  readonly device: number;
  readonly backendDomid: number;
  readonly bridge: string;
  /** The tap of an emulated interface. */
  readonly tap?: string;
}
export interface DomainRecord {
  readonly version: 1;
  readonly spec: VmSpec;
  readonly domid: number;
  /** The host's boot that it belongs to: no domain outlives that. */
  readonly boot: string;
  /** `created`: there may be a domain, with nothing in it. `built`: a guest is in it. */
  readonly phase: 'created' | 'built';
  /** Seconds since the epoch. */
  readonly startedAt: number;
  readonly drives: readonly Drive[];
  readonly nics: readonly Nic[];
  /** CPUs that the guest was told to use. */
  readonly vcpus: number;
  /** Bytes that the guest was told to use. */
  readonly memoryTarget: number;
  /** Event channels of its store and its console. */
  readonly ports: { readonly store: number; readonly console: number };
  /** Drives whose disc was changed since `create`: id → whether there is one. */
  readonly discs: Readonly<Record<string, boolean>>;
  /** It is being renamed to this: until that is done, the domain may have either name. */
  readonly becoming?: string;
  readonly end?: DomainEnd;
  /** An HVM guest was asked to reboot: powering off is how it does so. */
  readonly rebooting?: boolean;
}
