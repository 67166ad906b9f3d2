/** A folder of ISO files: read-only disks that come and go with the files. Links and folders in it are not looked at. */
import { chmod, chown, lstat, readdir, rename as renameFile, rmdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { storageErrors, type VdiInfo } from '../../../contracts/storage.ts';
import type { Ground, NewDisk, Owner, Repository, Staged } from '../../driver.ts';
import { isAbsent, removeFile, syncPath } from '../../durable.ts';
import { checkReach } from '../../ownership.ts';
import { mediumOf, requireSpace } from '../../place.ts';
import { createImage } from '../../qemu-img.ts';
import { fileOfName, type IsoRow, idOfFile, indexName, readIndex, writeIndex } from './index-file.ts';

const temporaryPattern = /^\.guesthouse-[0-9a-f-]{36}\.tmp$/;

interface IsoFile {
  readonly file: string;
  readonly vdi: string;
  readonly row: IsoRow;
}
export class IsoRepository implements Repository {
  readonly #ground: Ground;
  readonly #sr: string;
  readonly #folder: string;
  #rows: Record<string, IsoRow> = {};

  constructor(ground: Ground, sr: string, folder: string) {
    this.#ground = ground;
    this.#sr = sr;
    this.#folder = folder;
  }
  async recover(): Promise<void> {
    this.#rows = { ...(await readIndex(this.#folder))?.files };
    for (const file of await readdir(this.#folder))
      if (temporaryPattern.test(file)) await removeFile(join(this.#folder, file));
  }
  async stat() {
    const disks = await this.scan();
    const allocated = disks.reduce((sum, disk) => sum + disk.virtualSize, 0);
    return { ...(await mediumOf(this.#folder)), allocated };
  }
  async scan(): Promise<readonly VdiInfo[]> {
    const found: VdiInfo[] = [];
    for (const iso of await this.#files()) {
      const info = await this.#describe(iso);
      if (info) found.push(info);
    }
    return found;
  }
  async destroy(): Promise<void> {
    await removeFile(join(this.#folder, indexName));
    if ((await readdir(this.#folder)).length === 0) await rmdir(this.#folder);
  }
  async info(vdi: string): Promise<VdiInfo> {
    const info = await this.#describe(await this.#find(vdi));
    return info ?? this.#absent(vdi);
  }
  async create(disk: NewDisk): Promise<VdiInfo> {
    return (await this.stage({ create: disk })).commit();
  }
  async remove(vdi: string): Promise<void> {
    const iso = (await this.#files()).find((f) => f.vdi === vdi);
    if (!iso) return;
    await removeFile(join(this.#folder, iso.file));
    await syncPath(this.#folder);
    delete this.#rows[iso.file];
    await this.#save();
  }
  async resize(): Promise<VdiInfo> {
    return this.#unsupported('resize');
  }
  async snapshot(): Promise<VdiInfo> {
    return this.#unsupported('snapshot');
  }
  async clone(): Promise<VdiInfo> {
    return this.#unsupported('clone');
  }
  async rename(vdi: string, name: string | undefined, description: string | undefined): Promise<void> {
    const { file, row } = await this.#find(vdi);
    const given = { ...(name === undefined ? {} : { name }), ...(description === undefined ? {} : { description }) };
    this.#rows[file] = { ...row, vdi, ...given };
    if (!(await this.#save())) this.#unsupported('rename without write access to the folder');
  }
  async path(vdi: string) {
    const { file } = await this.#find(vdi);
    return { path: join(this.#folder, file), format: 'raw' as const };
  }
  /** The files are the host's: only a file that others may not read is lent to the guest's group, for reading, and stays so. */
  async grant(vdi: string, _mode: 'RO' | 'RW', owner: Owner): Promise<void> {
    await checkReach(this.#folder, owner);
    const path = join(this.#folder, (await this.#find(vdi)).file);
    const { uid, gid, mode } = await lstat(path);
    if (process.getuid?.() !== 0 || mode & 0o004 || owner.uid === undefined || owner.uid === uid) return;
    if (owner.gid === undefined) {
      const reason = `${path} may not be read by the user ${owner.uid} of the guest: chmod o+r it`;
      throw storageErrors.make('Bad_config', { key: 'location', reason });
    }
    if (gid !== owner.gid) await chown(path, uid, owner.gid);
    await chmod(path, (mode & 0o7777) | 0o040);
  }
  async revoke(): Promise<void> {
    // Nothing was taken from anybody: see `grant`.
  }
  async stage(target: { readonly create: NewDisk } | { readonly replace: string }): Promise<Staged> {
    const { file, vdi, row, virtualSize } = await this.#target(target);
    const temporary = () => join(this.#folder, `.guesthouse-${this.#ground.ids.uuid()}.tmp`);
    const [path, spool] = [temporary(), temporary()];
    await requireSpace(this.#folder, this.#sr, virtualSize);
    await createImage(path, 'raw', virtualSize);
    const commit = async () => {
      await removeFile(spool);
      // The tools write whole sectors; the file is as long as was asked for.
      await truncate(path, virtualSize);
      await syncPath(path);
      if ('create' in target) await this.#requireAbsent(file, vdi);
      this.#rows[file] = row;
      await this.#save();
      await renameFile(path, join(this.#folder, file));
      await syncPath(this.#folder);
      return this.info(vdi);
    };
    const discard = async () => {
      await removeFile(path);
      await removeFile(spool);
    };
    return { path, format: 'raw', virtualSize, spool, commit, discard };
  }
  async #target(target: { readonly create: NewDisk } | { readonly replace: string }) {
    if ('replace' in target) {
      const iso = await this.#find(target.replace);
      return { ...iso, virtualSize: (await lstat(join(this.#folder, iso.file))).size };
    }
    const { vdi, name, description, virtualSize, format } = target.create;
    if (format !== undefined && format !== 'raw') this.#unsupported(`the format ${format}`);
    const file = fileOfName(name, vdi);
    await this.#requireAbsent(file, vdi);
    return { file, vdi, row: { vdi, name, description }, virtualSize };
  }
  async #requireAbsent(file: string, vdi: string): Promise<void> {
    const there = (await this.#files()).find((iso) => iso.file === file || iso.vdi === vdi);
    if (!there) return;
    const [what, id] = there.vdi === vdi ? ['disk', vdi] : ['file', file];
    throw storageErrors.make('Already_exists', { what, id });
  }
  async #files(): Promise<readonly IsoFile[]> {
    const found: IsoFile[] = [];
    for (const entry of await readdir(this.#folder, { withFileTypes: true })) {
      if (!entry.isFile() || entry.name.startsWith('.') || !/\.iso$/i.test(entry.name)) continue;
      const row = Object.hasOwn(this.#rows, entry.name) ? (this.#rows[entry.name] ?? {}) : {};
      found.push({ file: entry.name, vdi: row.vdi ?? idOfFile(entry.name), row });
    }
    return found;
  }
  async #find(vdi: string): Promise<IsoFile> {
    const iso = (await this.#files()).find((f) => f.vdi === vdi);
    return iso ?? this.#absent(vdi);
  }
  /** Undefined when the file went away meanwhile. */
  async #describe({ file, vdi, row }: IsoFile): Promise<VdiInfo | undefined> {
    try {
      const { size, blocks } = await lstat(join(this.#folder, file));
      const { name = file, description = '' } = row;
      const sizes = { virtualSize: size, physicalUtilisation: blocks * 512 };
      return { vdi, name, description, format: 'iso', ...sizes, readOnly: true, snapshotOf: null };
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }
  /** Rows of files that are gone are dropped. */
  async #save(): Promise<boolean> {
    const there = new Set(await readdir(this.#folder));
    const pending = Object.entries(this.#rows);
    this.#rows = Object.fromEntries(pending.filter(([file, row]) => there.has(file) || row.vdi !== idOfFile(file)));
    const temporary = `.guesthouse-${this.#ground.ids.uuid()}.tmp`;
    return writeIndex(this.#folder, temporary, { sr: this.#sr, files: this.#rows });
  }
  #unsupported(operation: string): never {
    throw storageErrors.make('Not_supported', { operation, type: 'iso' });
  }
  #absent(vdi: string): never {
    throw storageErrors.make('Does_not_exist', { what: 'disk', id: vdi });
  }
}
