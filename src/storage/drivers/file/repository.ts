/** A folder of disks. */
import { readdir, rmdir } from 'node:fs/promises';
import { storageErrors, type VdiInfo } from '../../../contracts/storage.ts';
import { vhdLargest } from '../../../wire/vhd.ts';
import type { DiskFormat, Ground, Merge, NewDisk, Owner, Repository, Staged } from '../../driver.ts';
import { removeFile } from '../../durable.ts';
import { checkReach, lend, own, reclaim } from '../../ownership.ts';
import { mediumOf, requireSpace } from '../../place.ts';
import { convertImage, createImage, type Format, resizeImage } from '../../qemu-img.ts';
import { Chains } from './chain.ts';
import { isTemporary, type Layer, sidecarName, sidecarOf } from './layer.ts';
import { readSidecar, type Sidecar, writeSidecar } from './sidecar.ts';

/** An empty qcow2 file and a sidecar, generously. */
const emptyDiskBytes = 1 << 20;
const imageFormats: Readonly<Record<DiskFormat, Format>> = { raw: 'raw', qcow2: 'qcow2', vhd: 'vpc' };

export class FileRepository implements Repository {
  readonly #sr: string;
  readonly #folder: string;
  readonly #chains: Chains;
  readonly #usual: DiskFormat;
  /** Disks whose files are lent. */
  readonly #granted = new Set<string>();

  /** `usual`: the format of disks that ask for none. */
  constructor(ground: Ground, sr: string, folder: string, usual: DiskFormat) {
    this.#sr = sr;
    this.#folder = folder;
    this.#usual = usual;
    this.#chains = new Chains(folder, ground.ids, ground.log);
  }
  /** Reads the folder and removes what a crash left: temporary files, sidecars without a disk, bases without children. */
  async recover(): Promise<void> {
    await this.#chains.load();
    await this.#chains.sweep();
    const tops = this.#chains.tops();
    for (const file of await readdir(this.#folder)) {
      const vdi = sidecarOf(file);
      const orphan = vdi !== undefined && !tops.has(vdi);
      if (orphan || isTemporary(file)) await removeFile(this.#chains.at(file));
    }
  }
  async stat() {
    const tops = [...this.#chains.tops().values()];
    const allocated = tops.reduce((sum, top) => sum + top.virtualSize, 0);
    return { ...(await mediumOf(this.#folder)), allocated };
  }
  async scan(): Promise<readonly VdiInfo[]> {
    await this.#chains.load();
    const found: VdiInfo[] = [];
    for (const [vdi, top] of this.#chains.tops()) found.push(await this.#describe(vdi, top));
    return found;
  }
  async destroy(): Promise<void> {
    await this.#chains.sweep();
    await removeFile(this.#chains.at('sr.json'));
    const left = await readdir(this.#folder);
    if (left.length === 0) await rmdir(this.#folder);
  }
  async info(vdi: string): Promise<VdiInfo> {
    return this.#describe(vdi, await this.#chains.refresh(this.#chains.top(vdi).file));
  }
  async create(disk: NewDisk): Promise<VdiInfo> {
    const staged = await this.stage({ create: disk });
    return staged.commit();
  }
  async remove(vdi: string): Promise<void> {
    if (this.#chains.find(vdi)) await this.#chains.remove(vdi);
    await removeFile(this.#chains.at(sidecarName(vdi)));
  }
  nextMerge(idle: (vdi: string) => boolean, quick: boolean): Promise<Merge | undefined> {
    return this.#chains.nextMerge(idle, quick);
  }
  async resize(vdi: string, virtualSize: number): Promise<VdiInfo> {
    const top = this.#chains.top(vdi);
    await requireSpace(this.#folder, this.#sr, emptyDiskBytes);
    if (top.format === 'vpc') return this.#grown(vdi, top, virtualSize);
    await resizeImage(this.#chains.at(top.file), top.format, virtualSize);
    return this.info(vdi);
  }
  async rename(vdi: string, name: string | undefined, description: string | undefined): Promise<void> {
    this.#chains.top(vdi);
    const now = await this.#sidecar(vdi);
    await this.#describeAs(vdi, { ...now, name: name ?? now.name, description: description ?? now.description });
  }
  async snapshot(vdi: string, to: string, name: string | undefined): Promise<VdiInfo> {
    return this.#branch(vdi, to, name, vdi);
  }
  async clone(vdi: string, to: string, name: string | undefined): Promise<VdiInfo> {
    return this.#branch(vdi, to, name, null);
  }
  readonly live = {
    freeze: async (vdi: string, base: string): Promise<void> => {
      await requireSpace(this.#folder, this.#sr, emptyDiskBytes);
      await this.#chains.freeze(vdi, base, true);
    },
    snapshot: async (vdi: string, base: string, to: string, name: string | undefined): Promise<VdiInfo> => {
      const layer = this.#chains.frozen(vdi, base);
      if (!layer) throw storageErrors.make('Does_not_exist', { what: 'frozen content of', id: vdi });
      return this.#describeFirst(vdi, to, name, vdi, () => this.#chains.branchOff(layer.file, to, layer.virtualSize));
    },
  };
  async path(vdi: string) {
    const top = this.#chains.top(vdi);
    this.#chains.chain(top);
    return { path: this.#chains.at(top.file), format: top.format };
  }
  async grant(vdi: string, mode: 'RO' | 'RW', owner: Owner): Promise<void> {
    await checkReach(this.#folder, owner);
    const [top, ...bases] = this.#chains.chain(this.#chains.top(vdi));
    if (!top) return;
    this.#granted.add(vdi);
    const group = owner.gid ?? process.getgid?.() ?? 0;
    for (const base of bases) await own(this.#chains.at(base.file), process.getuid?.() ?? 0, group, 0o440);
    await lend(this.#chains.at(top.file), mode, owner);
  }
  async revoke(vdi: string): Promise<void> {
    this.#granted.delete(vdi);
    const top = this.#chains.find(vdi);
    if (!top) return;
    await reclaim(this.#chains.at(top.file), 0o600);
    await this.#chains.settle(vdi);
    const tops = [...this.#granted].map((other) => this.#chains.find(other)).filter((layer) => layer !== undefined);
    const lent = new Set(tops.flatMap((layer) => this.#chains.chain(layer)));
    for (const base of this.#chains.chain(top).slice(1))
      if (!lent.has(base)) await reclaim(this.#chains.at(base.file), 0o400);
  }
  async stage(target: { readonly create: NewDisk } | { readonly replace: string }): Promise<Staged> {
    return this.#stage(target, this.#target(target));
  }
  async #stage(
    target: { readonly create: NewDisk } | { readonly replace: string },
    { vdi, format, virtualSize }: { vdi: string; format: Format; virtualSize: number },
  ): Promise<Staged> {
    if (format === 'vpc' && virtualSize > vhdLargest)
      throw storageErrors.make('Bad_size', { size: virtualSize, reason: `a VHD holds at most ${vhdLargest} bytes` });
    await requireSpace(this.#folder, this.#sr, emptyDiskBytes);
    const temporary = this.#chains.newTemporary();
    const path = this.#chains.at(temporary);
    const spool = this.#chains.at(this.#chains.newTemporary());
    const discard = async () => {
      await removeFile(path);
      await removeFile(spool);
    };
    try {
      await createImage(path, format, virtualSize);
    } catch (error) {
      await discard();
      throw error;
    }
    const commit = async () => {
      await removeFile(spool);
      if ('create' in target) {
        this.#requireAbsent(vdi);
        const { name, description } = target.create;
        await this.#describeAs(vdi, { name, description, snapshotOf: null });
      }
      return this.#describe(vdi, await this.#chains.install(temporary, vdi, format));
    };
    return { path, format, virtualSize, spool, commit, discard };
  }
  /** QEMU makes no VHD larger: a larger one takes its place. */
  async #grown(vdi: string, { file, format }: Layer, virtualSize: number): Promise<VdiInfo> {
    const staged = await this.#stage({ replace: vdi }, { vdi, format, virtualSize });
    try {
      await convertImage({ path: this.#chains.at(file), format }, staged);
      return await staged.commit();
    } catch (error) {
      await staged.discard();
      throw error;
    }
  }
  #target(target: { readonly create: NewDisk } | { readonly replace: string }) {
    if ('replace' in target) {
      const { format, virtualSize } = this.#chains.top(target.replace);
      return { vdi: target.replace, format, virtualSize };
    }
    const { vdi, virtualSize, format } = target.create;
    this.#requireAbsent(vdi);
    return { vdi, virtualSize, format: imageFormats[format ?? this.#usual] };
  }
  #requireAbsent(vdi: string): void {
    if (this.#chains.find(vdi)) throw storageErrors.make('Already_exists', { what: 'disk', id: vdi });
  }
  #branch(vdi: string, to: string, name: string | undefined, snapshotOf: string | null): Promise<VdiInfo> {
    return this.#describeFirst(vdi, to, name, snapshotOf, () => this.#chains.branch(vdi, to));
  }
  /** Makes the disk `to` by `make`; what is known of it is there before it is. */
  async #describeFirst(
    vdi: string,
    to: string,
    name: string | undefined,
    snapshotOf: string | null,
    make: () => Promise<void>,
  ): Promise<VdiInfo> {
    this.#requireAbsent(to);
    const now = await this.#sidecar(vdi);
    this.#chains.top(vdi);
    await requireSpace(this.#folder, this.#sr, 2 * emptyDiskBytes);
    await this.#describeAs(to, { name: name ?? now.name, description: now.description, snapshotOf });
    try {
      await make();
    } catch (error) {
      await removeFile(this.#chains.at(sidecarName(to)));
      throw error;
    }
    return this.info(to);
  }
  #sidecar(vdi: string): Promise<Sidecar> {
    return readSidecar(this.#chains.at(sidecarName(vdi)));
  }
  #describeAs(vdi: string, sidecar: Sidecar): Promise<void> {
    return writeSidecar(this.#chains.at(sidecarName(vdi)), this.#chains.at(this.#chains.newTemporary()), sidecar);
  }
  async #describe(vdi: string, top: Layer): Promise<VdiInfo> {
    const { name, description, snapshotOf } = await this.#sidecar(vdi);
    const physicalUtilisation = await this.#chains.ownBytes(top);
    const { virtualSize } = top;
    const format = top.format === 'vpc' ? 'vhd' : top.format;
    const readOnly = snapshotOf !== null;
    const chain = this.#chains.place(top);
    return { vdi, name, description, format, virtualSize, physicalUtilisation, readOnly, snapshotOf, chain };
  }
}
