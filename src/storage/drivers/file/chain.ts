/**
 * The chains of one folder. A disk's top file lies on bases, which never change once they have children:
 *
 *     before            snapshot S of D           clone C of S          destroy D, S, C
 *     D.qcow2           D.qcow2 ─▶ B.base         C.qcow2 ─▶ B.base     B.base has no children: removed
 *                       S.qcow2 ─▶ B.base
 *
 * A base that is left with one child is merged with it when nobody has a disk on it open and the child is small (`merge`): the
 * child's content is written into the base, which then takes over the child's name. Cut off anywhere, the child reads the
 * same. Other such bases stay until a disk on them is destroyed again; they cost space, not content.
 * `freeze` is safe to be killed at any step: B gets a second name for D's file, then D's new overlay takes over D's
 * name in one rename. Before it D reads its own file, after it the overlay on the same bytes. While a guest has D's file open
 * (it goes on writing to it, as B) the overlay gets D's next name, and takes over the first one when the guest is done.
 */
import { chmod, link, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ids } from '../../../base/ids.ts';
import type { Log } from '../../../base/log.ts';
import { storageErrors } from '../../../contracts/storage.ts';
import { removeFile, syncPath } from '../../durable.ts';
import { commitImage, createImage } from '../../qemu-img.ts';
import {
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

/** A merge holds up the repository's other work: this much is written within a second or two. */
const quickBytes = 128 << 20;

export class Chains {
  readonly #folder: string;
  readonly #ids: Ids;
  readonly #log: Log;
  #layers = new Map<string, Layer>();
  /** Disk → the names of its top, past ones included. */
  #names = new Map<string, Set<string>>();
  /** Base → how many files lie on it; made anew when asked for after a change. */
  #counts: Map<string, number> | undefined;
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
    this.#counts = undefined;
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
    this.#counts = undefined;
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
    this.#counts = undefined;
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
      if (layer !== top && this.#children(layer.file) > 1) break;
      bytes += (await stat(this.at(layer.file))).blocks * 512;
    }
    return bytes;
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
  /** Merges what `idle` allows and what is quick. */
  async merge(idle: (vdi: string) => boolean): Promise<void> {
    if (this.#damaged.length > 0) return;
    const busy = new Set<string>();
    for (const [vdi, top] of this.tops()) if (!idle(vdi)) for (const layer of this.chain(top)) busy.add(layer.file);
    for (const base of this.#current().filter((layer) => isBase(layer.file))) {
      const [child, ...others] = this.#current().filter((layer) => layer.backing === base.file);
      if (!child || others.length > 0 || base.format !== 'qcow2' || busy.has(base.file)) continue;
      // An empty one, as snapshots are, gains nothing: chains do not grow on it.
      const { empty } = await this.refresh(child.file);
      if (!empty && (await stat(this.at(child.file))).blocks * 512 <= quickBytes) await this.#absorb(base, child);
    }
  }
  async #absorb(base: Layer, child: Layer): Promise<void> {
    const { mode } = await stat(this.at(child.file));
    for (const file of [base.file, child.file]) await chmod(this.at(file), 0o600);
    await commitImage(this.at(child.file));
    await syncPath(this.at(base.file));
    await rename(this.at(base.file), this.at(child.file));
    await chmod(this.at(child.file), mode & 0o777);
    await syncPath(this.#folder);
    this.#forget(base.file);
    await this.refresh(child.file);
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
  #children(base: string): number {
    if (!this.#counts) {
      this.#counts = new Map();
      for (const { backing } of this.#current())
        if (backing !== null) this.#counts.set(backing, (this.#counts.get(backing) ?? 0) + 1);
    }
    return this.#counts.get(base) ?? 0;
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
