/**
 * What a kind of ground (simulator, QEMU, Xen) must be able to do: verbs over described values. Adding a backend is a
 * folder and a row in `backends/index.ts`; `tests/conformance/backend.ts` says what each verb means.
 *
 * A domain's life, as the plans drive it:
 *
 *     create ──▶ attach devices ──▶ build ──▶ (paused) ──unpause──▶ (running) ──▶ ended ──▶ destroy
 *                                    │                     ◀─pause──
 *                                 restore (instead of build, from an image)
 *
 * Every verb may be repeated: done twice, it changes nothing the second time. A verb that fails leaves nothing behind.
 * `destroy` of what is not there is no error.
 */
import type { Call } from '../contracts/contract.ts';
import type { HostDevices } from '../contracts/devices.ts';
import type { FirmwareState, GuestReport } from '../contracts/guest.ts';
import type { Port } from '../contracts/network.ts';
import type { OpenDisk } from '../contracts/storage.ts';
import type { PowerState, VbdSpec, VifSpec, VmSpec } from '../contracts/xenops.ts';

export type Capability =
  | 'hvm'
  | 'pv'
  | 'pvh'
  | 'uefi'
  | 'suspend'
  | 'live-migrate'
  | 'balloon'
  | 'vcpu-hotplug'
  | 'vbd-hotplug'
  | 'vif-hotplug' // one line
  | 'cd-change'
  | 'snapshot'
  | 'vnc'
  | 'serial'
  | 'sysrq'
  | 'trigger'
  | 'bootloader'
  | 'tpm'
  | keyof RareGuestVerbs
  | keyof RareHostVerbs;

/** What few grounds can do with a guest: a verb is there together with the capability of its name. */
export interface RareGuestVerbs {
  /** Asks the guest to sleep (ACPI S3); resolves when it does. Failed_to_suspend. */
  sleep(vm: string, call: Call): Promise<void>;
  wake(vm: string): Promise<void>;
  /** Memory for shadow page tables, in parts of what is usual. */
  setShadow(vm: string, multiplier: number): Promise<void>;
  /** The guest ends as if by itself; its end arrives as an event. */
  endGuest(vm: string, how: 'poweroff' | 'reboot'): Promise<void>;
  /** Failed_to_run_script. */
  runScript(vm: string, script: string, call: Call): Promise<{ status: number; out: string; err: string }>;
  requestRdp(vm: string, enabled: boolean): Promise<void>;
  /**
   * The guest's agent writes out what its filesystems hold back, and holds them still until `thaw`. They go on by themselves when
   * `thaw` does not come within half a minute, or the toolstack ends. Failed_to_freeze, also when no agent answers.
   */
  freeze(vm: string, call: Call): Promise<void>;
  /** No error when they are not frozen; Failed_to_freeze when they had gone on by themselves meanwhile. */
  thaw(vm: string): Promise<void>;
}
export interface RareHostVerbs {
  messages(clear: boolean): Promise<string>;
  sendDebugKeys(keys: string): Promise<void>;
}

/** What is seen of one of our domains. */
export interface Observed {
  readonly vm: string;
  readonly domid: number;
  /** `ended`: the guest is gone or crashed, but its domain was not destroyed yet. */
  readonly power: 'paused' | 'running' | 'ended';
  readonly end?: DomainEnd;
  readonly startedAt: number;
  readonly memoryTarget: number;
  readonly memoryActual: number;
  readonly vcpus: number;
  readonly accelerator: string;
  readonly consoles: readonly { protocol: 'vt100' | 'rfb'; socket: string }[];
  /** Ids of the devices that are plugged. */
  readonly vbds: readonly string[];
  readonly vifs: readonly string[];
  /** How far the guest's clock is from the host's, in seconds, once the guest has set it. */
  readonly timeOffsetS?: number | undefined;
  /** What the guest's agent says, while there is one that answers. */
  readonly guest?: GuestReport | undefined;
  /** Drives whose disc was taken out or put in since `create`: id → whether there is one. */
  readonly discs?: Readonly<Record<string, boolean>>;
}
export interface DomainEnd {
  readonly reason: 'poweroff' | 'reboot' | 'crash' | 'killed' | 'hung';
  readonly detail: string;
}
export type BackendEvent =
  /** The guest ended by itself, was killed or hangs: observe it, then destroy it. Sent once per domain. */
  | { readonly event: 'ended'; readonly vm: string; readonly end: DomainEnd }
  /** Something that `observe` shows has changed. */
  | { readonly event: 'changed'; readonly vm: string };

/** What a drive is attached with: how the disk is opened, or null for an empty CD drive. */
export interface VbdAttachment {
  readonly spec: VbdSpec;
  readonly disk: OpenDisk | null;
}
/** A layer that a drive's guest goes over to. */
export interface NewLayer {
  /** The drive. */
  readonly id: string;
  /** Names the layer (a UUID): going over to it twice changes nothing. */
  readonly to: string;
  readonly disk: OpenDisk;
}
export interface VifAttachment {
  readonly spec: VifSpec;
  readonly port: Port;
}

export interface Backend {
  readonly name: string;
  readonly can: ReadonlySet<Capability>;
  /** A guest that reboots sooner than this after its start (seconds, 120) is started again only after a delay. */
  readonly restartWindowS?: number;
  /** Finds what runs already and takes it over; called once, before anything else. */
  open(): Promise<void>;
  /** Stops looking after domains; leaves them running. */
  close(): Promise<void>;
  watch(listener: (event: BackendEvent) => void): () => void;
  host(): Promise<{
    version: string;
    accelerator: string;
    cpus: number;
    cpuModel: string;
    memoryTotal: number;
    memoryFree: number;
  }>;
  /** Our domains, also half-made ones. */
  observeAll(): Promise<readonly Observed[]>;
  /** Domains on this ground that are not ours: listed, never touched. */
  foreign(): Promise<readonly { domid: number; name: string; power: PowerState; memory: number; vcpus: number }[]>;
  /** The user and group that must be able to open the VM's disks and taps; undefined: nobody in particular. */
  owner(vm: string): { uid: number; gid: number } | undefined;
  /** Bytes that the VM takes from the host beside its guest's memory. */
  overhead(spec: VmSpec): number;
  /** The VM is not registered any more and has no domain: what outlives its domains (firmware variables, logs) goes. */
  forget?(vm: string): Promise<void>;
  readonly vm: {
    /** Refuses (Bad_spec, Unimplemented) what this ground cannot do, before anything is made. */
    check(spec: VmSpec): void;
    create(spec: VmSpec, domid: number): Promise<void>;
    build(spec: VmSpec): Promise<void>;
    restore(spec: VmSpec, image: OpenDisk, call: Call): Promise<void>;
    destroy(vm: string): Promise<void>;
    pause(vm: string): Promise<void>;
    unpause(vm: string): Promise<void>;
    /** Asks the guest; its end arrives as an event. Asked again while it does not end: an early request may be lost on it. */
    requestShutdown(vm: string, what: 'poweroff' | 'reboot'): Promise<void>;
    /** Stops the guest and writes its state; the domain is `paused` afterwards and only good for `destroy` or `unpause`. */
    save(vm: string, image: OpenDisk, call: Call): Promise<void>;
    setVcpus(vm: string, count: number): Promise<void>;
    setMemoryTarget(vm: string, bytes: number): Promise<void>;
    sendKeys(vm: string, kind: 'sysrq' | 'trigger', value: string): Promise<void>;
    observe(vm: string): Promise<Observed | undefined>;
  };
  /**
   * Moving guests between domains; there with the capability `live-migrate`. The domain that takes a guest has an identity of its
   * own until the guest's is free: `rename` hands identities over.
   *
   *     listen ──▶ (address) ──send──▶ receive ──▶ paused under its own identity ──rename──▶ the VM's
   */
  readonly migration?: {
    /** What the domain must be like that takes the guest: text for `listen` on the same kind of ground, maybe of another host. */
    describe(vm: string): Promise<string>;
    /**
     * Makes the end of a stream into a created domain, for a guest that was described so; answers its address, a unix socket or a
     * named pipe. Gone with `destroy`.
     */
    listen(vm: string, about: string): Promise<string>;
    /** Makes the guest that arrives at the address; `paused` afterwards. */
    receive(spec: VmSpec, address: string, call: Call): Promise<void>;
    /**
     * Sends the guest; live: it runs on until little is left. The domain is `paused` afterwards, and only good for `destroy`,
     * or for `unpause`, which lets the guest go on here.
     */
    send(vm: string, address: string, live: boolean, call: Call): Promise<void>;
    /** The domain of `from` is that of `to` from now on. No error when it is already, or when there is none. */
    rename(from: string, to: string): Promise<void>;
  };
  /** Devices of the host that a guest may be given; absent: none. */
  devices?(): Promise<HostDevices>;
  /** What machines remember while they are off, by VM; it goes with `forget`. Absent: they remember nothing. */
  readonly firmware?: {
    read(vm: string): Promise<FirmwareState>;
    /** The VM has no domain. Bad_spec for a state that is none of this ground's. */
    write(vm: string, state: FirmwareState): Promise<void>;
  };
  readonly guest?: Partial<RareGuestVerbs>;
  readonly hypervisor?: Partial<RareHostVerbs>;
  /** Before `build`: the device is there at power-on. After: hot-plug. */
  readonly vbd: {
    attach(vm: string, a: VbdAttachment): Promise<void>;
    /** Without `force` waits for the guest (Device_detach_rejected when it does not let go). */
    detach(vm: string, id: string, force: boolean): Promise<void>;
    /** Puts a disc in, or takes it out with null. */
    change(vm: string, id: string, disk: OpenDisk | null): Promise<void>;
    /** Other limits (`VbdSpec.qos`) for a drive that is plugged. Absent: they come with the next start. */
    limit?(vm: string, id: string, qos: VbdSpec['qos']): Promise<void>;
    /**
     * From one moment on, the same for all, the guest writes to new, empty layers that lie on what it wrote to before. All of them
     * or, when it fails, none. There with the capability `snapshot`.
     */
    pivot?(vm: string, layers: readonly NewLayer[]): Promise<void>;
  };
  readonly vif: {
    attach(vm: string, a: VifAttachment): Promise<void>;
    detach(vm: string, id: string, force: boolean): Promise<void>;
    /** The host's interface that carries (or will) the guest's packets, where that is not the port's tap. */
    carrier?(vm: string, spec: VifSpec): string | undefined;
  };
}
