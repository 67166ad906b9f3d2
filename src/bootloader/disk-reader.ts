/** A guest's disk through GRUB's own drivers for file systems (`grub-fstest`), one confined process for each look at it. */
import type { FileHandle } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import { confined, type User } from './confine.ts';
import { diskDevices, isPath, volumeOf } from './devices.ts';
import { type FileRef, type Files, nothing, type Volume } from './menu.ts';
import type { ServedDisk } from './served-disk.ts';

const smallFile = 1 << 20;
const mostLooks = 600;
const mostVolumes = 64;
const lookMs = 20_000;
/** For all looks together: a file system can be made to turn in circles at each of them. */
const looksMs = 120_000;
const copyMs = 300_000;

export interface ReaderOptions {
  readonly disk: ServedDisk;
  readonly user: User | undefined;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/** Answers are kept: a configuration may ask the same a hundred times. */
export class DiskReader implements Files {
  readonly volumes: readonly Volume[];
  readonly #o: ReaderOptions;
  readonly #texts = new Map<string, string | undefined>();
  readonly #lists = new Map<string, readonly string[]>();
  #looks = 0;
  readonly #until: number;

  private constructor(o: ReaderOptions, volumes: Volume[]) {
    this.#o = o;
    this.#until = o.clock.now() + looksMs;
    this.volumes = volumes;
  }
  static async open(o: ReaderOptions): Promise<DiskReader> {
    const volumes: Volume[] = [];
    const reader = new DiskReader(o, volumes);
    const listing = await reader.#look(['ls']);
    if (!listing.ok) throw nothing(`the disk cannot be read: ${listing.words}`);
    for (const device of diskDevices(listing.out).slice(0, mostVolumes)) {
      const said = await reader.#look(['ls', `(${device})`]);
      const volume = said.ok ? volumeOf(device, said.out) : undefined;
      if (volume) volumes.push(volume);
    }
    return reader;
  }
  async text(file: FileRef): Promise<string | undefined> {
    const name = nameOf(file);
    if (this.#texts.has(name)) return this.#texts.get(name);
    const read = await this.#look(['cat', name]);
    if (!read.ok && !isAbsent(read.words)) throw nothing(`${name} cannot be read: ${read.words}`);
    const text = read.ok ? read.out : undefined;
    this.#texts.set(name, text);
    return text;
  }
  async list(folder: FileRef): Promise<readonly string[]> {
    const name = nameOf(folder);
    const known = this.#lists.get(name);
    if (known) return known;
    const { ok, out } = await this.#look(['ls', `${name}/`]);
    const names = ok ? out.split(/\s+/).filter((n) => n !== '') : [];
    this.#lists.set(name, names);
    return names;
  }
  /** Writes a file behind what `to` holds already; refuses when `to` would be longer than `limit` bytes. */
  async copy(file: FileRef, to: FileHandle, limit: number): Promise<void> {
    const name = nameOf(file);
    const { disk, user, clock, signal } = this.#o;
    const copied = await confined(['grub-fstest', disk.path, 'cat', name], {
      place: disk.place,
      user,
      output: limit,
      timeoutMs: copyMs,
      to: to.fd,
      clock,
      signal,
    });
    if (copied.ok) return;
    throw nothing(isAbsent(copied.words) ? `${name} is not there` : `${name} cannot be read: ${copied.words}`);
  }
  #look(command: readonly string[]) {
    if (++this.#looks > mostLooks) throw nothing(`more than ${mostLooks} files and folders would have to be looked at`);
    const { disk, user, clock, signal } = this.#o;
    const leftMs = this.#until - clock.now();
    if (leftMs <= 0) throw nothing(`looking at the disk takes longer than ${looksMs / 1000} s`);
    return confined(['grub-fstest', disk.path, ...command], {
      place: disk.place,
      user,
      output: smallFile,
      timeoutMs: Math.min(lookMs, leftMs),
      clock,
      signal,
    });
  }
}
function nameOf({ volume, path }: FileRef): string {
  if (!isPath(path)) throw nothing(`${JSON.stringify(path.slice(0, 100))} is no path`);
  return `(${volume})${path === '/' ? '' : path}`;
}
const isAbsent = (words: string): boolean => /not found\.?$|not a regular file\.?$|unknown filesystem\.?$/.test(words);
