/** The steps that plans are made of, one row each: name, weight, deadline, what it does and how that is undone. */
import type { Clock } from '../base/clock.ts';
import type { Call } from '../contracts/contract.ts';
import type { Content, Media, VbdSpec, VifSpec, VmSpec } from '../contracts/xenops.ts';
import { type MigrationGround, migrationAtomics } from './atomics-migration.ts';
import { snapshotAtomics } from './atomics-snapshot.ts';
import { expectedSpec, type Kernels } from './kernels.ts';
import { closeMedia, closePort, type Neighbours, openMedia, openPort, orElse, takePort, withMedia } from './media.ts';

/** What steps work on. */
export interface Ground extends Neighbours {
  readonly clock: Clock;
  /** Absent: VMs with a boot loader are left to the backend. */
  readonly kernels?: Kernels | undefined;
  /** Resolves when the guest, which was asked to, has ended; Failed_to_shutdown after the timeout. */
  awaitEnd(vm: string, what: 'poweroff' | 'reboot', timeoutS: number, call: Call): Promise<void>;
  /** Durably notes where the suspend image is, or (null) that it must not be used any more. */
  setSuspended(vm: string, image: Media | null): Promise<void>;
  /** Absent: nothing is moved. */
  readonly moving?: MigrationGround;
}
export interface Atomic<A> {
  /** Its share of the operation's progress. */
  readonly weight: number;
  /** Seconds after which the step is given up (Timed_out). */
  readonly deadlineS: number | ((a: A) => number);
  /** Once it has completed there is no way back: nothing before it is undone, and cancelling comes too late. */
  readonly final?: true;
  /** Waits for the guest: takes no worker meanwhile. */
  readonly waits?: true;
  /** Its arguments for people to read. */
  text(a: A): string;
  /** A step that fails leaves nothing behind; done twice it changes nothing the second time. */
  run(g: Ground, a: A, call: Call): Promise<unknown>;
  undo?(g: Ground, a: A): Promise<unknown>;
}
const atomic = <A>(row: Atomic<A>): Atomic<A> => row;
interface OnVm {
  readonly vm: string;
}
/** The domain, where its name is not the VM's: one that takes a guest, while another has that name. */
interface InDomain {
  readonly domain?: string;
}
interface OnVbd extends OnVm, InDomain {
  readonly vbd: VbdSpec;
  /** The same disk is in another drive of the VM: it stays open. */
  readonly keepOpen?: boolean;
  /** Another host has the disk open for the VM. */
  readonly elsewhere?: boolean;
}
interface OnVif extends OnVm, InDomain {
  readonly vif: VifSpec;
  /** Another domain of the VM has the port too: it stays. */
  readonly keepOpen?: boolean;
}

/** The description as a backend gets it: with the kernel that the boot loader has taken. */
const resolved = async (g: Ground, spec: VmSpec): Promise<VmSpec> => g.kernels?.resolve(spec) ?? spec;

export const atomics = {
  /** The boot loader's work. */
  'VM.loadKernel': atomic<{ readonly spec: VmSpec }>({
    weight: 3,
    deadlineS: 1800,
    text: (a) => (a.spec.boot.kind === 'bootloader' ? ` by ${a.spec.boot.bootloader}` : ''),
    run: async (g, a, call) => g.kernels?.load(g, a.spec, call),
    undo: async (g, a) => g.kernels?.drop(a.spec.id),
  }),
  'VM.dropKernel': atomic<OnVm>({
    weight: 1,
    deadlineS: 60,
    text: () => '',
    run: async (g, a) => g.kernels?.drop(a.vm),
  }),
  'VM.create': atomic<InDomain & { readonly spec: VmSpec; readonly domid: number; readonly elsewhere?: boolean }>({
    weight: 1,
    deadlineS: 60,
    text: (a) => ` domid=${a.domid}`,
    async run(g, a) {
      // A guest that runs on another host has its kernel in its memory.
      const spec = a.elsewhere ? expectedSpec(a.spec) : await resolved(g, a.spec);
      await g.backend.vm.create({ ...spec, id: a.domain ?? spec.id }, a.domid);
    },
    undo: (g, a) => g.backend.vm.destroy(a.domain ?? a.spec.id),
  }),
  'VM.build': atomic<{ readonly spec: VmSpec }>({
    weight: 3,
    deadlineS: 300,
    text: () => '',
    run: async (g, a) => g.backend.vm.build(await resolved(g, a.spec)),
    // Devices are taken from a domain that is gone rather than from one that may not answer.
    undo: (g, a) => g.backend.vm.destroy(a.spec.id),
  }),
  'VM.restore': atomic<{ readonly spec: VmSpec; readonly image: Media }>({
    weight: 10,
    deadlineS: 1200,
    text: (a) => ` from ${mediaText(a.image)}`,
    run: (g, a, call) =>
      withMedia(g, a.spec.id, a.image, 'RO', call, async (disk) =>
        g.backend.vm.restore(await resolved(g, a.spec), disk, call),
      ),
    undo: (g, a) => g.backend.vm.destroy(a.spec.id),
  }),
  'VM.save': atomic<OnVm & { readonly image: Media }>({
    weight: 10,
    deadlineS: 1200,
    text: (a) => ` into ${mediaText(a.image)}`,
    run: (g, a, call) => withMedia(g, a.vm, a.image, 'RW', call, (disk) => g.backend.vm.save(a.vm, disk, call)),
    undo: (g, a) => g.backend.vm.unpause(a.vm),
  }),
  'VM.noteSuspended': atomic<OnVm & { readonly image: Media }>({
    weight: 1,
    deadlineS: 60,
    text: (a) => ` ${mediaText(a.image)}`,
    run: (g, a) => g.setSuspended(a.vm, a.image),
    undo: (g, a) => g.setSuspended(a.vm, null),
  }),
  'VM.dropSuspended': atomic<OnVm & { readonly image: Media }>({
    weight: 1,
    deadlineS: 60,
    text: (a) => ` ${mediaText(a.image)}`,
    run: (g, a) => g.setSuspended(a.vm, null),
    undo: (g, a) => g.setSuspended(a.vm, a.image),
  }),
  'VM.pause': atomic<OnVm>({
    weight: 1,
    deadlineS: 30,
    text: () => '',
    run: (g, a) => g.backend.vm.pause(a.vm),
    undo: (g, a) => g.backend.vm.unpause(a.vm),
  }),
  'VM.unpause': atomic<OnVm>({
    weight: 1,
    deadlineS: 30,
    text: () => '',
    run: (g, a) => g.backend.vm.unpause(a.vm),
    undo: (g, a) => g.backend.vm.pause(a.vm),
  }),
  'VM.destroy': atomic<OnVm>({
    weight: 1,
    deadlineS: 120,
    final: true,
    text: () => '',
    run: (g, a) => g.backend.vm.destroy(a.vm),
  }),
  'VM.requestShutdown': atomic<OnVm & { readonly what: 'poweroff' | 'reboot' }>({
    weight: 1,
    deadlineS: 60,
    text: (a) => ` ${a.what}`,
    run: (g, a) => g.backend.vm.requestShutdown(a.vm, a.what),
  }),
  'VM.awaitEnd': atomic<OnVm & { readonly what: 'poweroff' | 'reboot'; readonly timeoutS: number }>({
    weight: 5,
    deadlineS: (a) => a.timeoutS + 60,
    waits: true,
    text: (a) => ` for ${a.timeoutS} s`,
    run: (g, a, call) => g.awaitEnd(a.vm, a.what, a.timeoutS, call),
  }),
  'VM.setVcpus': atomic<OnVm & { readonly count: number; readonly was: number }>({
    weight: 1,
    deadlineS: 60,
    text: (a) => ` ${a.was} to ${a.count}`,
    run: (g, a) => g.backend.vm.setVcpus(a.vm, a.count),
    undo: (g, a) => g.backend.vm.setVcpus(a.vm, a.was),
  }),
  'VM.setMemoryTarget': atomic<OnVm & { readonly bytes: number; readonly was: number }>({
    weight: 1,
    deadlineS: 60,
    text: (a) => ` ${a.was} to ${a.bytes}`,
    run: (g, a) => g.backend.vm.setMemoryTarget(a.vm, a.bytes),
    undo: (g, a) => g.backend.vm.setMemoryTarget(a.vm, a.was),
  }),
  'VM.sendKeys': atomic<OnVm & { readonly kind: 'sysrq' | 'trigger'; readonly value: string }>({
    weight: 1,
    deadlineS: 30,
    text: (a) => ` ${a.kind} ${a.value}`,
    run: (g, a) => g.backend.vm.sendKeys(a.vm, a.kind, a.value),
  }),
  'VM.sleep': atomic<OnVm>({
    weight: 1,
    deadlineS: 120,
    waits: true,
    text: () => '',
    run: (g, a, call) => g.backend.guest?.sleep?.(a.vm, call) ?? Promise.resolve(),
  }),
  'VM.wake': atomic<OnVm>({
    weight: 1,
    deadlineS: 60,
    text: () => '',
    run: (g, a) => g.backend.guest?.wake?.(a.vm) ?? Promise.resolve(),
  }),
  'VM.setShadow': atomic<OnVm & { readonly multiplier: number; readonly was: number }>({
    weight: 1,
    deadlineS: 60,
    text: (a) => ` ${a.was} to ${a.multiplier}`,
    run: (g, a) => g.backend.guest?.setShadow?.(a.vm, a.multiplier) ?? Promise.resolve(),
    undo: (g, a) => g.backend.guest?.setShadow?.(a.vm, a.was) ?? Promise.resolve(),
  }),
  'VBD.attach': atomic<OnVbd>({
    weight: 1,
    deadlineS: 120,
    text: vbdText,
    async run(g, a, call) {
      const { vm, vbd } = a;
      const disk = vbd.media === null ? null : await openMedia(g, vm, vbd.media, vbd.mode, call, a.domain);
      await orElse(
        g,
        () => g.backend.vbd.attach(a.domain ?? vm, { spec: vbd, disk }),
        () => closeUnlessShared(g, a),
      );
    },
    async undo(g, a) {
      await g.backend.vbd.detach(a.domain ?? a.vm, a.vbd.id, true);
      await closeUnlessShared(g, a);
    },
  }),
  'VBD.detach': atomic<OnVbd & { readonly force: boolean }>({
    weight: 1,
    deadlineS: 120,
    text: (a) => `${vbdText(a)}${a.force ? ' force' : ''}`,
    run: (g, a) => g.backend.vbd.detach(a.vm, a.vbd.id, a.force),
  }),
  /** The disk of a drive that is gone. */
  'VBD.close': atomic<OnVbd>({
    weight: 1,
    deadlineS: 60,
    text: vbdText,
    run: (g, a) => closeMedia(g, a.vm, a.vbd.media, a.elsewhere),
  }),
  'VBD.insert': atomic<OnVbd>({
    weight: 1,
    deadlineS: 60,
    text: vbdText,
    async run(g, a, call) {
      const { vm, vbd } = a;
      const disk = vbd.media === null ? null : await openMedia(g, vm, vbd.media, 'RO', call);
      await orElse(
        g,
        () => g.backend.vbd.change(vm, vbd.id, disk),
        () => closeUnlessShared(g, a),
      );
    },
    async undo(g, a) {
      await g.backend.vbd.change(a.vm, a.vbd.id, null);
      await closeUnlessShared(g, a);
    },
  }),
  'VBD.eject': atomic<OnVbd>({
    weight: 1,
    deadlineS: 60,
    text: vbdText,
    run: (g, a) => g.backend.vbd.change(a.vm, a.vbd.id, null),
  }),
  'VIF.attach': atomic<OnVif>({
    weight: 1,
    deadlineS: 60,
    text: vifText,
    async run(g, a) {
      const port = await openPort(g, a.vm, a.vif, a.domain, a.keepOpen);
      await orElse(
        g,
        () => g.backend.vif.attach(a.domain ?? a.vm, { spec: a.vif, port }),
        () => closePortUnlessShared(g, a),
      );
    },
    async undo(g, a) {
      await g.backend.vif.detach(a.domain ?? a.vm, a.vif.id, true);
      await closePortUnlessShared(g, a);
    },
  }),
  'VIF.detach': atomic<OnVif & { readonly force: boolean }>({
    weight: 1,
    deadlineS: 120,
    text: (a) => `${vifText(a)}${a.force ? ' force' : ''}`,
    run: (g, a) => g.backend.vif.detach(a.vm, a.vif.id, a.force),
  }),
  /** The port is told the VM's name, the rate and the filter again. */
  'VIF.retell': atomic<OnVif>({
    weight: 1,
    deadlineS: 60,
    text: vifText,
    run: (g, a) => openPort(g, a.vm, a.vif),
  }),
  'VBD.limit': atomic<OnVbd>({
    weight: 1,
    deadlineS: 60,
    text: vbdText,
    run: (g, a) => g.backend.vbd.limit?.(a.vm, a.vbd.id, a.vbd.qos) ?? Promise.resolve(),
  }),
  /** The port of an interface that is gone. */
  /** Of the domain that has taken the guest; the VM's own goes. */
  'VIF.take': atomic<OnVif & { readonly domain: string }>({
    weight: 1,
    deadlineS: 60,
    final: true,
    text: vifText,
    run: (g, a) => takePort(g, a.vm, a.vif.id, a.domain),
  }),
  'VIF.close': atomic<OnVif>({
    weight: 1,
    deadlineS: 60,
    text: vifText,
    run: (g, a) => closePort(g, a.vm, a.vif.id),
  }),
  ...migrationAtomics,
  ...snapshotAtomics,
};

export type AtomicName = keyof typeof atomics;
export type ArgsOf<N extends AtomicName> = (typeof atomics)[N] extends Atomic<infer A> ? A : never;
/** The row of a name, for the interpreter, which does not know the arguments' type. */
export const atomicOf = (name: AtomicName): Atomic<unknown> => atomics[name] as Atomic<unknown>;
export const textOf = (name: AtomicName, args: unknown): string => atomicOf(name).text(args);

function closeUnlessShared(g: Ground, a: OnVbd): Promise<void> {
  return closeMedia(g, a.vm, a.keepOpen ? null : a.vbd.media, a.elsewhere);
}
async function closePortUnlessShared(g: Ground, a: OnVif): Promise<void> {
  if (!a.keepOpen) await closePort(g, a.vm, a.vif.id);
}
function mediaText(media: Content): string {
  if (media.kind === 'files') return `files ${Object.keys(media.files).join(' ')}`;
  return media.kind === 'vdi' ? `vdi ${media.vdi}` : media.path;
}
function vbdText(a: OnVbd): string {
  const holds = a.vbd.media === null ? 'empty' : mediaText(a.vbd.media);
  return ` ${a.vbd.id} ${a.vbd.type} ${a.vbd.mode} ${holds}${a.keepOpen ? ' (stays open)' : ''}`;
}
function vifText(a: OnVif): string {
  return ` ${a.vif.id} on ${a.vif.bridge}`;
}
