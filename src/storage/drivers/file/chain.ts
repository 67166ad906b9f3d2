/**
 * The chains of one folder. A disk's top file lies on bases, which never change once they have children:
 *
 *     before            snapshot S of D           clone C of S          destroy D, S, C
 *     D.qcow2           D.qcow2 ─▶ B.base         C.qcow2 ─▶ B.base     B.base has no children: removed
 *                       S.qcow2 ─▶ B.base
 *
 * A base that is left with one child is merged with it when nobody has a disk on it open (`nextMerge`): the child's content is
 * written into the base, which then takes over the child's name. Cut off anywhere, the child reads the same, as all that was
 * written below it is in it too.
 * `freeze` is safe to be killed at any step: B gets a second name for D's file, then D's new overlay takes over D's
 * name in one rename. Before it D reads its own file, after it the overlay on the same bytes. While a guest has D's file open
 * (it goes on writing to it, as B) the overlay gets D's next name, and takes over the first one when the guest is done.
 */
import { chmod, link, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ids } from '../../../base/ids.ts';
import type { Log } from '../../../base/log.ts';
import type { Call } from '../../../contracts/contract.ts';
import { storageErrors, type VdiInfo } from '../../../contracts/storage.ts';
import type { Merge } from '../../driver.ts';
import { removeFile, syncPath } from '../../durable.ts';
import { commitImage, createImage, repairLeaks } from '../../qemu-img.ts';
import {
  baseId,
  baseName,
  formatOf,
  generationOf,
  isBase,
  type Layer,
  readLayer,
  temporaryName,
  topFormats,
  topName,
  vdiOf,
} from './layer.ts';

/** Bytes that are written within a second or two. */
const quickBytes = 128 << 20;

export class Chains {
  readonly #folder: string;
  readonly #ids: Ids;
  readonly #log: Log;
  #layers = new Map<string, Layer>();
  /** Disk → the names of its top, past ones included. */
  #names = new Map<string, Set<string>>();
  /** Base → the files that lie on it; made anew when asked for after a change. */
  #children: Map<string, readonly string[]> | undefined;
  /** Files whose header cannot be read: while there are any, no base is removed. */
  #damaged: string[] = [];

  constructor(folder: string, ids: Ids, log: Log) {
    this.#folder = folder;
    this.#ids = ids;
    this.#log = log;
  }
  at(file: string): string {
    return join(this.#folder, file);
  }
  newTemporary(): string {
    return temporaryName(this.#ids.uuid());
  }
  /** Reads every header of the folder. */
  async load(): Promise<void> {
    this.#layers = new Map();
    this.#children = undefined;
    this.#names = new Map();
    this.#damaged = [];
    const files = (await readdir(this.#folder)).filter((file) => isBase(file) || vdiOf(file) !== undefined);
    for (const file of files) {
      // A disk whose newest file is damaged is not what an older one says.
      this.#name(file);
      try {
        await this.refresh(file);
      } catch (error) {
        this.#damaged.push(file);
        this.#log.warn('a disk file cannot be read and is left alone', { file, error: String(error) });
      }
    }
  }
  /** The tops: [disk, layer]. */
  tops(): ReadonlyMap<string, Layer> {
    const found = new Map<string, Layer>();
    for (const vdi of this.#names.keys()) {
      const top = this.find(vdi);
      if (top) found.set(vdi, top);
    }
    return found;
  }
  /** The newest of the disk's files. A qcow2 top wins over another: `freeze` was killed before it removed the latter. */
  find(vdi: string): Layer | undefined {
    const names = [...(this.#names.get(vdi) ?? [])];
    if (names.length === 1) return this.#layers.get(names[0] ?? '');
    const order = (file: string) => generationOf(file) * topFormats.length - topFormats.indexOf(formatOf(file));
    const [top] = names.sort((a, b) => order(b) - order(a));
    return top === undefined ? undefined : this.#layers.get(top);
  }
  top(vdi: string): Layer {
    const layer = this.find(vdi);
    if (!layer) throw storageErrors.make('Does_not_exist', { what: 'disk', id: vdi });
    return layer;
  }
  /** Reads the header of a file again. */
  async refresh(file: string): Promise<Layer> {
    const layer = await readLayer(this.#folder, file);
    this.#layers.set(file, layer);
    this.#children = undefined;
    this.#name(file);
    return layer;
  }
  #name(file: string): void {
    const vdi = vdiOf(file);
    if (vdi !== undefined) this.#names.set(vdi, (this.#names.get(vdi) ?? new Set()).add(file));
  }
  async #unlink(file: string): Promise<void> {
    await removeFile(this.at(file));
    this.#forget(file);
  }
  #forget(file: string): void {
    this.#layers.delete(file);
    this.#children = undefined;
    const vdi = vdiOf(file);
    const names = vdi === undefined ? undefined : this.#names.get(vdi);
    names?.delete(file);
    if (vdi !== undefined && names?.size === 0) this.#names.delete(vdi);
  }
  /** The layer and all bases below it, top first. */
  chain(top: Layer): readonly Layer[] {
    const found = [top];
    for (let next = top.backing; next !== null; ) {
      const layer = this.#layers.get(next);
      if (!layer || found.includes(layer))
        throw storageErrors.make('Bad_data', {
          reason: `${this.at(top.file)}: its base ${next} is missing or damaged`,
        });
      found.push(layer);
      next = layer.backing;
    }
    return found;
  }
  /** Bytes on the medium that only this disk uses: what its destruction gives back. */
  async ownBytes(top: Layer): Promise<number> {
    let bytes = 0;
    for (const layer of this.chain(top)) {
      if (layer !== top && this.#childrenOf(layer.file).length > 1) break;
      bytes += (await stat(this.at(layer.file))).blocks * 512;
    }
    return bytes;
  }
  /** How many files the disk is in, the base below its top, and the other disks whose tops lie on that. */
  place(top: Layer): NonNullable<VdiInfo['chain']> {
    const beside = top.backing === null ? [] : this.#childrenOf(top.backing);
    const sharedWith = beside.flatMap((file) => (file === top.file ? [] : (vdiOf(file) ?? [])));
    return { depth: this.chain(top).length, base: top.backing && baseId(top.backing), sharedWith };
  }
  /** Gives a finished temporary file its name as the top of a disk; what was there before is replaced. */
  async install(temporary: string, vdi: string, format: Layer['format'], generation?: number): Promise<Layer> {
    const file = topName(vdi, format, generation ?? generationOf(this.find(vdi)?.file ?? ''));
    await syncPath(this.at(temporary));
    await rename(this.at(temporary), this.at(file));
    await syncPath(this.#folder);
    const layer = await this.refresh(file);
    await this.sweep();
    return layer;
  }
  /** A new, empty top for `to` on the present content of `vdi`. Neither is open. */
  async branch(vdi: string, to: string): Promise<void> {
    const source = await this.refresh(this.top(vdi).file);
    const fits = source.empty && source.backing !== null;
    await this.branchOff(fits ? source.backing : await this.freeze(vdi, this.#ids.uuid()), to, source.virtualSize);
  }
  /** A new, empty top for `to` on a base. */
  async branchOff(base: string, to: string, virtualSize: number): Promise<void> {
    await this.install(await this.#overlay(base, virtualSize), to, 'qcow2');
  }
  async remove(vdi: string): Promise<void> {
    // The newest last: a kill in between leaves no older content in its place.
    const top = this.find(vdi)?.file;
    for (const file of [...(this.#names.get(vdi) ?? [])].filter((name) => name !== top)) await this.#unlink(file);
    if (top !== undefined) await this.#unlink(top);
    await syncPath(this.#folder);
    await this.sweep();
  }
  /** Nobody has the disk open any more: its top gets its plain name again, and names that were opened before go. */
  async settle(vdi: string): Promise<void> {
    const top = this.find(vdi);
    if (!top || generationOf(top.file) === 0) return;
    for (const file of [...(this.#names.get(vdi) ?? [])].filter((name) => name !== top.file)) await this.#unlink(file);
    await rename(this.at(top.file), this.at(topName(vdi, top.format)));
    await syncPath(this.#folder);
    this.#forget(top.file);
    await this.refresh(topName(vdi, top.format));
  }
  /** Removes bases that nothing lies on, and other tops that a qcow2 top has taken over from. */
  async sweep(): Promise<void> {
    if (this.#damaged.length > 0) return;
    for (let idle = this.#idle(); idle.length > 0; idle = this.#idle())
      for (const file of idle) await this.#unlink(file);
  }
  /** A base that only one file needs any more, below disks that are all `idle`; `quick`: merged within a second or two. */
  async nextMerge(idle: (vdi: string) => boolean, quick: boolean): Promise<Merge | undefined> {
    if (this.#damaged.length > 0) return undefined;
    const users = this.#users();
    for (const [file, disks] of users) {
      const base = this.#layers.get(file);
      const [only, ...others] = this.#childrenOf(file);
      if (!only || others.length > 0 || base?.format !== 'qcow2' || !disks.every(idle)) continue;
      const child = await this.refresh(only);
      if (child.format !== 'qcow2') continue;
      const bytes = child.empty ? 0 : (await stat(this.at(only))).blocks * 512;
      if (quick && bytes > quickBytes) continue;
      const commit = async (call?: Call) => {
        for (const each of [file, only]) await chmod(this.at(each), 0o600);
        await commitImage(this.at(only), call);
        // Of an earlier attempt that was killed.
        await repairLeaks(this.at(file));
      };
      return { disks, commit, finish: () => this.#takeOver(file, only) };
    }
    return undefined;
  }
  /** Base → the disks that lie on it, the deepest base first: what is merged into it is merged once. */
  #users(): ReadonlyMap<string, readonly string[]> {
    const found = new Map<string, string[]>();
    for (const [vdi, top] of this.tops())
      for (const { file } of this.chain(top).slice(1).toReversed()) found.set(file, [...(found.get(file) ?? []), vdi]);
    return found;
  }
  /** The base, which has the child's content now, gets the child's name. */
  async #takeOver(base: string, child: string): Promise<void> {
    await syncPath(this.at(base));
    await chmod(this.at(base), isBase(child) ? 0o400 : 0o600);
    await rename(this.at(base), this.at(child));
    await syncPath(this.#folder);
    this.#forget(base);
    await this.refresh(child);
  }
  #idle(): readonly string[] {
    const layers = [...this.#layers.values()];
    const used = new Set(this.#current().map((layer) => layer.backing));
    const shadowed = ({ file, format }: Layer) => {
      const vdi = vdiOf(file);
      return vdi !== undefined && format !== 'qcow2' && this.#layers.has(topName(vdi, 'qcow2', generationOf(file)));
    };
    return layers.filter((l) => shadowed(l) || (isBase(l.file) && !used.has(l.file))).map((l) => l.file);
  }
  /** The files that lie on a base. */
  #childrenOf(base: string): readonly string[] {
    if (!this.#children) {
      this.#children = new Map();
      for (const { file, backing } of this.#current())
        if (backing !== null) this.#children.set(backing, [...(this.#children.get(backing) ?? []), file]);
    }
    return this.#children.get(base) ?? [];
  }
  /** Bases and tops, without names of tops that count no more. */
  #current(): readonly Layer[] {
    const tops = new Set(this.tops().values());
    return [...this.#layers.values()].filter((layer) => isBase(layer.file) || tops.has(layer));
  }
  async #overlay(base: string, virtualSize: number): Promise<string> {
    const temporary = this.newTemporary();
    const under = this.#layers.get(base);
    try {
      await createImage(this.at(temporary), 'qcow2', virtualSize, { file: base, format: under?.format ?? 'qcow2' });
      return temporary;
    } catch (error) {
      await removeFile(this.at(temporary));
      await this.sweep();
      throw error;
    }
  }
  /** The base `id`, if the disk's top lies on that. */
  frozen(vdi: string, id: string): Layer | undefined {
    const { backing } = this.top(vdi);
    const ours = topFormats.some((format) => backing === baseName(id, format));
    return ours && backing !== null ? this.#layers.get(backing) : undefined;
  }
  /**
   * Turns a disk's file into the base `id` and gives the disk an overlay on it; answers the base. Done twice it changes nothing.
   * `live`: the name of the file stays that file's, for whoever has it open and looks it up again.
   */
  async freeze(vdi: string, id: string, live = false): Promise<string> {
    const source = await this.refresh(this.top(vdi).file);
    const now = generationOf(source.file);
    const done = this.frozen(vdi, id);
    if (done) return done.file;
    const base = baseName(id, source.format);
    await syncPath(this.at(source.file));
    await removeFile(this.at(base)); // a second name that a failed attempt left
    await link(this.at(source.file), this.at(base));
    await chmod(this.at(base), 0o400);
    await syncPath(this.#folder);
    await this.refresh(base);
    await this.install(await this.#overlay(base, source.virtualSize), vdi, 'qcow2', live ? now + 1 : now);
    return base;
  }
}
