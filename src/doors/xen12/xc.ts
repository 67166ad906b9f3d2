/**
 * Xen 1.2's module `Xc` over today's core, with its names: arguments by keyword, whole numbers as answers, 0 for fine and −1 for
 * an error, which is told to `onError`. A domain's number is that of today's ground.
 *
 *     domain_create ──▶ made ──linux_build, vbd_create, vbd_setextents──▶ described ──domain_start──▶ running ◀─start/stop─▶ stopped
 *                                                                                        └── domain_destroy, linux_save ──▶ gone
 *
 * The kernel and the drives are the description's until `domain_start` builds the domain from it. A drive that has no extents yet
 * is a note of the VM, since no ground has drives without a medium.
 */
import { isKind } from '../../contracts/contract.ts';
import type { VbdSpec, VmEntry, VmSpec, Xenops } from '../../contracts/xenops.ts';
import { findVbd, nameOf } from '../xenopsd/device.ts';
import { askToEnd, creditOf, endedBefore, freePosition, pin, savedTo, saveTo, setCredit, trafficOf } from './acts.ts';
import { describeBare, driveAs, interfaceAt, kernelOf, note } from './describe.ts';
import { deviceNumber, deviceOfNumber } from './device-numbers.ts';
import { type DomainInfo, domains, vmOf } from './domains.ts';
import type { BlockDevices, Extent } from './extents.ts';

export interface XcParts {
  readonly xenops: Xenops;
  readonly uuid: () => string;
  readonly exists: (path: string) => boolean;
  readonly blocks: BlockDevices;
  /** Where each domain has its interface 0; undefined: it has none. */
  readonly bridge: string | undefined;
  /** Why a call has answered −1 (or, where it answers more, nothing). */
  readonly onError: (what: string, error: Error) => void;
}
interface InDomain {
  readonly dom: number;
}
interface Drive extends InDomain {
  /** The number of the device in the guest: 0x0801 is sda1. */
  readonly vbd: number;
}
export interface DriveInfo extends Drive {
  readonly writeable: number;
  readonly nr_sectors: number;
}
interface Build extends InDomain {
  readonly image: string;
  readonly ramdisk?: string;
  readonly cmdline?: string;
}
export type XcDomain = Omit<DomainInfo, 'vm'>;
/** A drive without a medium: the VM's note → `r` or `w`. */
const emptyNote = (vbd: number): string => `xen12.vbd.${vbd}`;
const noBvt = 'this hypervisor has no BVT scheduler';

export class Xc {
  readonly #p: XcParts;
  constructor(parts: XcParts) {
    this.#p = parts;
  }

  /** Answers the new domain's number. */
  domain_create({ mem_kb = 65536, name = '(anon)' } = {}): Promise<number> {
    return this.#answer('domain_create', -1, async () => {
      const { xenops, bridge } = this.#p;
      const { capabilities } = await xenops.host.stat({});
      const known = name === '(anon)' ? undefined : await endedBefore(xenops, name, note);
      const id = known ?? this.#p.uuid();
      await xenops.vm.add({
        ...describeBare({ id, name, bytes: mem_kb * 1024, capabilities }),
        vifs: bridge === undefined ? [] : [interfaceAt({ id, bridge }, name, 0)],
        notes: { [note]: 'Xc' },
      });
      try {
        await xenops.vm.create({ id });
      } catch (error) {
        if (!known) await xenops.vm.remove({ id });
        throw error;
      }
      return (await xenops.vm.stat({ id })).state.domid;
    });
  }
  /** Builds it when it is not built yet, and lets it run. */
  domain_start({ dom }: InDomain): Promise<number> {
    return this.#done('domain_start', dom, async ({ spec: { id }, state }) => {
      if (state.power === 'Running') return;
      const { vm } = this.#p.xenops;
      try {
        await vm.unpause({ id });
      } catch (error) {
        if (!isKind(error, 'Domain_not_built')) throw error;
        await vm.build({ id });
        await vm.unpause({ id });
      }
    });
  }
  domain_stop({ dom }: InDomain): Promise<number> {
    return this.#done('domain_stop', dom, ({ spec: { id } }) => this.#p.xenops.vm.pause({ id }));
  }
  /** Without `force` the guest is asked. */
  domain_destroy({ dom, force = 0 }: InDomain & { readonly force?: number }): Promise<number> {
    return this.#done('domain_destroy', dom, ({ spec: { id } }) =>
      force ? this.#p.xenops.vm.shutdown({ id, timeoutS: null }) : askToEnd(this.#p.xenops, id),
    );
  }
  /** From its next start on; −1: on any processor. */
  domain_pincpu({ dom, cpu = -1 }: InDomain & { readonly cpu?: number }): Promise<number> {
    return this.#done('domain_pincpu', dom, ({ spec }) => pin(this.#p.xenops, spec, cpu < 0 ? undefined : cpu));
  }
  domain_getinfo({ first_dom = 0, max_doms = 1024 } = {}): Promise<XcDomain[]> {
    return this.#answer('domain_getinfo', [], async () =>
      (await domains(this.#p.xenops))
        .filter(({ dom }) => dom >= first_dom)
        .slice(0, max_doms)
        .map(({ vm: _, ...shown }) => shown),
    );
  }

  /** `state_file` must not be there. */
  linux_save({ dom, state_file }: InDomain & { readonly state_file: string; readonly progress?: number }) {
    return this.#done('linux_save', dom, ({ spec: { id } }) => saveTo(this.#p, id, state_file));
  }
  /** Answers the domain's new number. It is stopped, as one that was built. */
  linux_restore({ state_file }: { readonly state_file: string; readonly progress?: number }): Promise<number> {
    return this.#answer('linux_restore', -1, async () => {
      const { id } = (await savedTo(this.#p.xenops, state_file)).spec;
      await this.#p.xenops.vm.resume({ id, paused: true });
      return (await this.#p.xenops.vm.stat({ id })).state.domid;
    });
  }
  linux_build(a: Build): Promise<number> {
    return this.#build('linux_build', a);
  }
  netbsd_build(a: Build): Promise<number> {
    return this.#build('netbsd_build', a);
  }
  #build(what: string, { dom, image, ramdisk = '', cmdline = '' }: Build): Promise<number> {
    return this.#done(what, dom, async ({ spec }) => {
      for (const path of [image, ramdisk])
        if (path !== '' && !this.#p.exists(path)) throw new Error(`${path} does not exist`);
      await this.#p.xenops.vm.add({ ...spec, boot: kernelOf(image, ramdisk, cmdline) });
    });
  }

  async bvtsched_global_set(_: { readonly ctx_allow: number }): Promise<number> {
    return this.#refused('bvtsched_global_set', noBvt);
  }
  async bvtsched_domain_set(_: InDomain & Readonly<Record<string, number>>): Promise<number> {
    return this.#refused('bvtsched_domain_set', `${noBvt}; weight and cap are settings of the VM`);
  }
  /** 0 microseconds: no limit. */
  vif_scheduler_set({ dom, vif, credit_bytes = 0, credit_usecs = 0 }: InDomain & Credit): Promise<number> {
    return this.#done('vif_scheduler_set', dom, ({ spec }) =>
      setCredit(this.#p.xenops, spec, { vif, bytes: credit_bytes, usecs: credit_usecs }),
    );
  }
  /** `{}` after an error. */
  vif_scheduler_get({ dom, vif }: InDomain & { readonly vif: number }): Promise<Partial<ReturnType<typeof creditOf>>> {
    return this.#answer<Partial<ReturnType<typeof creditOf>>>('vif_scheduler_get', {}, async () =>
      creditOf((await this.#vm(dom)).spec, vif),
    );
  }
  /** What the domain has sent and got; `{}` after an error. */
  vif_stats_get({ dom, vif }: InDomain & { readonly vif: number }): Promise<Record<string, number>> {
    return this.#answer<Record<string, number>>('vif_stats_get', {}, async () =>
      trafficOf(this.#p.xenops, (await this.#vm(dom)).spec, vif),
    );
  }

  /** A drive without extents; the guest has it once they are set. */
  vbd_create({ dom, vbd, writeable }: Drive & { readonly writeable: number | boolean }): Promise<number> {
    return this.#done('vbd_create', dom, async ({ spec }) => {
      if (deviceOfNumber(vbd) === undefined) throw new Error(`${vbd} is no number of a drive`);
      if (drivesOf(spec).some((d) => d.vbd === vbd)) throw new Error(`there is a drive ${vbd} already`);
      await this.#note(spec, vbd, writeable ? 'w' : 'r');
    });
  }
  vbd_destroy({ dom, vbd }: Drive): Promise<number> {
    return this.#done('vbd_destroy', dom, async (vm) => {
      const { drive } = driveOf(vm.spec, vbd);
      if (drive) await this.#takeOut(vm, drive);
      await this.#note(vm.spec, vbd, null);
    });
  }
  /** Adds an extent at the end; here a drive has one. */
  vbd_grow({ dom, vbd, ...extent }: Drive & Extent): Promise<number> {
    return this.#done('vbd_grow', dom, async (vm) => {
      const { drive } = driveOf(vm.spec, vbd);
      await this.#setExtents(vm, vbd, drive ? [...this.#extents(drive), extent] : [extent]);
    });
  }
  /** Drops the last extent. */
  vbd_shrink({ dom, vbd }: Drive): Promise<number> {
    return this.#done('vbd_shrink', dom, async (vm) => {
      if (!driveOf(vm.spec, vbd).drive) throw new Error(`the drive ${vbd} has no extent`);
      await this.#setExtents(vm, vbd, []);
    });
  }
  vbd_setextents({ dom, vbd, extents }: Drive & { readonly extents: readonly Extent[] }): Promise<number> {
    return this.#done('vbd_setextents', dom, (vm) => this.#setExtents(vm, vbd, extents));
  }
  vbd_getextents({ dom, vbd }: Drive): Promise<Extent[]> {
    return this.#answer('vbd_getextents', [], async () => {
      const { drive } = driveOf((await this.#vm(dom)).spec, vbd);
      return drive ? this.#extents(drive) : [];
    });
  }
  /** Without `dom` those of every domain. */
  vbd_probe({
    dom,
    max_vbds = 1024,
  }: {
    readonly dom?: number;
    readonly max_vbds?: number;
  } = {}): Promise<DriveInfo[]> {
    return this.#answer('vbd_probe', [], async () => {
      const all = (await this.#p.xenops.vm.list({})).filter(
        ({ state }) => state.domid >= 0 && (dom === undefined || state.domid === dom),
      );
      const rows = all.flatMap(({ spec, state }) =>
        drivesOf(spec).map(({ vbd, writeable, drive }) => {
          const sectors = drive ? this.#extents(drive).reduce((sum, e) => sum + e.nr_sectors, 0) : 0;
          return { dom: state.domid, vbd, writeable: Number(writeable), nr_sectors: sectors };
        }),
      );
      return rows.sort((a, b) => a.dom - b.dom || a.vbd - b.vbd).slice(0, max_vbds);
    });
  }
  /** The hypervisor's messages. */
  readconsolering({ clear = 0 } = {}): Promise<string> {
    return this.#answer('readconsolering', '', () => this.#p.xenops.host.messages({ clear: clear !== 0 }));
  }

  async #setExtents(vm: VmEntry, vbd: number, extents: readonly Extent[]): Promise<void> {
    const { spec } = vm;
    const { drive, writeable } = driveOf(spec, vbd);
    const [extent, ...more] = extents;
    if (more.length > 0) throw new Error('a drive is one whole disk or partition here; several extents are not joined');
    const path = extent && this.#p.blocks.pathOf(extent);
    if (extent && path === undefined)
      throw new Error(`${JSON.stringify(extent)} is neither a whole disk nor a partition of this host`);
    const mode = writeable ? 'w' : 'r';
    if (drive) await this.#takeOut(vm, drive);
    if (path === undefined) return this.#note(spec, vbd, mode);
    const position = drive?.position ?? freePosition(spec);
    const media = { kind: 'path', path, format: 'raw' } as const;
    const made = driveAs(spec.id, { dev: deviceOfNumber(vbd) ?? '', position, mode, media });
    const { xenops } = this.#p;
    await xenops.vbd.add({ vm: spec.id, vbd: made });
    await this.#note(spec, vbd, null);
    await ifBuilt(() => xenops.vbd.plug({ vm: spec.id, id: made.id }));
  }
  async #takeOut({ spec, state }: VmEntry, { id }: VbdSpec): Promise<void> {
    const { vbd } = this.#p.xenops;
    if (state.vbds[id]?.plugged) await vbd.unplug({ vm: spec.id, id, force: false });
    await vbd.remove({ vm: spec.id, id });
  }
  #note({ id }: VmSpec, vbd: number, mode: string | null): Promise<void> {
    return this.#p.xenops.vm.update({ id, notes: { [emptyNote(vbd)]: mode } });
  }
  #extents({ media }: VbdSpec): Extent[] {
    const found = media?.kind === 'path' ? this.#p.blocks.extentOf(media.path) : undefined;
    return found ? [found] : [];
  }

  #vm(dom: number): Promise<VmEntry> {
    return vmOf(this.#p.xenops, dom);
  }
  #done(what: string, dom: number, f: (vm: VmEntry) => Promise<void>): Promise<number> {
    return this.#answer(what, -1, async () => {
      await f(await this.#vm(dom));
      return 0;
    });
  }
  async #answer<T>(what: string, failed: T, f: () => Promise<T>): Promise<T> {
    try {
      return await f();
    } catch (error) {
      this.#p.onError(what, error as Error);
      return failed;
    }
  }
  #refused(what: string, why: string): -1 {
    this.#p.onError(what, new Error(why));
    return -1;
  }
}
interface Credit {
  readonly vif: number;
  readonly credit_bytes?: number;
  readonly credit_usecs?: number;
}

interface Numbered {
  readonly vbd: number;
  readonly writeable: boolean;
  /** Undefined: it has no extents. */
  readonly drive: VbdSpec | undefined;
}
function drivesOf(spec: VmSpec): Numbered[] {
  const filled = spec.vbds.flatMap((drive) => {
    const vbd = deviceNumber(nameOf('vbd', drive));
    return vbd === undefined ? [] : [{ vbd, writeable: drive.mode === 'RW', drive }];
  });
  const empty = Object.entries(spec.notes ?? {}).flatMap(([key, mode]) => {
    const number = /^xen12\.vbd\.(\d+)$/.exec(key)?.[1];
    return number === undefined ? [] : [{ vbd: Number(number), writeable: mode === 'w', drive: undefined }];
  });
  return [...filled, ...empty];
}
function driveOf(spec: VmSpec, vbd: number): Numbered {
  const found = drivesOf(spec).find((d) => d.vbd === vbd);
  if (found) return found;
  const drive = findVbd(spec, deviceOfNumber(vbd) ?? String(vbd));
  return { vbd, writeable: drive.mode === 'RW', drive };
}
/** A domain that is not built yet gets its drives when it is. */
async function ifBuilt(f: () => Promise<void>): Promise<void> {
  try {
    await f();
  } catch (error) {
    if (!isKind(error, 'Domain_not_built')) throw error;
  }
}
