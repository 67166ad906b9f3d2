/**
 * The boot loader: from a VM's disk, or an installer's repository, to a kernel that can be started.
 *
 *     arguments ─▶ disk served, read by a confined process ─▶ menu ─▶ entry ─▶ kernel checked ─▶ command line
 *                     └─(nothing boots, and there is a repository)─▶ installer ──┘
 */
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { type Boot, type Bootloader, type BootRequest, bootloaderErrors } from '../contracts/bootloader.ts';
import { type Call, ContractError, isKind } from '../contracts/contract.ts';
import { type Arguments, parseArguments } from './arguments.ts';
import { readerUsers, type User } from './confine.ts';
import { fileRef } from './devices.ts';
import { DiskReader } from './disk-reader.ts';
import { kernelFault } from './kernel-file.ts';
import { candidates, type Hints } from './layouts.ts';
import { mayInstall } from './loaders.ts';
import { choose, type FileRef, nothing, type Target } from './menu.ts';
import { Repository } from './repository.ts';
import { searchMenu } from './search.ts';
import { serveDisk } from './served-disk.ts';
import { isThere } from './syslinux.ts';

export interface BootloaderOptions {
  readonly clock: Clock;
  readonly log: Log;
}
/** Bytes. A guest can offer more, and is refused. */
const largest = { kernel: 256 << 20, ramdisk: 1 << 30 } as const;
const longestCmdline = 16_384;

type Disk = NonNullable<BootRequest['disk']>;

export async function openBootloader({ clock, log }: BootloaderOptions): Promise<Bootloader> {
  const users = await readerUsers();
  if (!users && process.getuid?.() === 0)
    log.warn("guests' disks are read as root, without a user of their own", { because: 'few ids are mapped here' });
  const slots = new Set<number>();
  const withUser = async <T>(f: (user: User | undefined) => Promise<T>): Promise<T> => {
    let slot = 0;
    while (slots.has(slot)) slot++;
    slots.add(slot);
    try {
      return await f(users?.(slot));
    } finally {
      slots.delete(slot);
    }
  };
  const extract = async (a: BootRequest, call: Call = {}): Promise<Boot> => {
    const installs = mayInstall(a.loader);
    const args = parseArguments(a.args);
    const job = new Job(a, args, { clock, log, withUser, signal: call.signal });
    const boot = await job.run(installs);
    log.info("a guest's kernel was found", { title: boot.title, cmdline: boot.cmdline });
    return boot;
  };
  return { kernel: { extract }, watch: () => () => undefined };
}

interface JobParts extends BootloaderOptions {
  readonly withUser: <T>(f: (user: User | undefined) => Promise<T>) => Promise<T>;
  readonly signal: AbortSignal | undefined;
}

class Job {
  readonly #a: BootRequest;
  readonly #args: Arguments;
  readonly #parts: JobParts;

  constructor(a: BootRequest, args: Arguments, parts: JobParts) {
    this.#a = a;
    this.#args = args;
    this.#parts = parts;
  }
  async run(installs: boolean): Promise<Boot> {
    const repository = installs ? this.#a.installRepository : undefined;
    if (repository === undefined) return this.#fromDisk();
    if (this.#args.install) return this.#install(repository);
    try {
      return await this.#fromDisk();
    } catch (error) {
      if (!isKind(error, 'Nothing_to_boot')) throw error;
      this.#parts.log.info('nothing on the disk boots: the installer is fetched', { because: error.message });
      try {
        return await this.#install(repository);
      } catch (second) {
        if (!isKind(second, 'Nothing_to_boot')) throw second;
        throw nothing(`${second.message}; and on the disk: ${error.message}`, second);
      }
    }
  }
  async #fromDisk(): Promise<Boot> {
    const { disk } = this.#a;
    if (!disk) throw nothing('the VM has no disk to boot from');
    const { entry, kernel, ramdisk, offset } = this.#args;
    return this.#reading(disk, offset, async (reader) => {
      if (kernel !== undefined) {
        const ramdisks = ramdisk === undefined ? [] : [await named(reader, ramdisk)];
        return this.#take(reader, { kernel: await named(reader, kernel), ramdisks, cmdline: '' }, kernel);
      }
      const { menu, place } = await searchMenu(reader);
      const { title, target } = await choose(menu, entry);
      return this.#take(reader, target, `${title} of ${place}`);
    });
  }
  async #install(repository: string): Promise<Boot> {
    const hints = this.#a.installHints ?? {};
    if (repository !== 'cdrom') return this.#fetch(repository, hints);
    const { disc } = this.#a;
    if (!disc) throw nothing('the install repository is cdrom, and there is no disc in a CD drive');
    return this.#reading(disc, 0, async (reader) => {
      for (const { device } of reader.volumes)
        for (const candidate of candidates(hints)) {
          const [kernel, ramdisk] = [candidate.kernel, candidate.ramdisk].map((path) => ({
            volume: device,
            path: `/${path}`,
          })) as [FileRef, FileRef];
          if (await isThere(reader, kernel))
            return this.#take(reader, { kernel, ramdisks: [ramdisk], cmdline: '' }, `${kernel.path} of the disc`);
        }
      const { menu, place } = await searchMenu(reader);
      const { title, target } = await choose(menu, this.#args.entry);
      return this.#take(reader, target, `${title} of the disc's ${place}`);
    });
  }
  #fetch(address: string, hints: Hints): Promise<Boot> {
    const { clock, signal, withUser } = this.#parts;
    return withUser(async (user) => {
      const source = new Repository({ address, user, clock, signal });
      const found = await source.find(hints);
      return await this.#write(`${found.kernel} of ${source.shown}`, '', {
        kernel: (to) => source.fetch(found.kernel, to, largest.kernel),
        ramdisk: (to) => source.fetch(found.ramdisk, to, largest.ramdisk),
      });
    });
  }
  #reading<T>(disk: Disk, offset: number, f: (reader: DiskReader) => Promise<T>): Promise<T> {
    const { clock, log, signal, withUser } = this.#parts;
    return withUser(async (user) => {
      await using served = await serveDisk({ disk, offset, user, folder: this.#a.folder, clock, log, signal });
      return await f(await DiskReader.open({ disk: served, user, clock, signal }));
    });
  }
  #take(reader: DiskReader, target: Target, title: string): Promise<Boot> {
    return this.#write(title, target.cmdline, {
      kernel: (to) => reader.copy(target.kernel, to, largest.kernel),
      ...(target.ramdisks.length === 0
        ? {}
        : {
            async ramdisk(to) {
              for (const file of target.ramdisks) {
                await reader.copy(file, to, largest.ramdisk);
                await pad(to);
              }
            },
          }),
    });
  }
  /** Fills the folder; a failure leaves nothing in it. */
  async #write(
    title: string,
    found: string,
    from: { kernel(to: FileHandle): Promise<void>; ramdisk?(to: FileHandle): Promise<void> },
  ): Promise<Boot> {
    const { folder } = this.#a;
    const kernel = join(folder, 'kernel');
    const ramdisk = from.ramdisk ? join(folder, 'ramdisk') : null;
    const words = [found, this.#args.args, this.#a.cmdline].map((text) => text.trim()).filter((text) => text !== '');
    const cmdline = words.join(' ');
    if (cmdline.length > longestCmdline || /[\x00-\x08\x0a-\x1f]/.test(cmdline))
      throw nothing(
        `${title}: the kernel's command line is longer than ${longestCmdline} characters, or has control characters`,
      );
    try {
      await fill(kernel, async (file) => {
        await from.kernel(file);
        const fault = await kernelFault(file);
        if (fault !== undefined) throw nothing(`${title}: the kernel cannot be started: ${fault}`);
      });
      if (ramdisk !== null && from.ramdisk) await fill(ramdisk, (file) => from.ramdisk!(file));
    } catch (error) {
      await Promise.all([kernel, ramdisk].map((path) => path && rm(path, { force: true })));
      if (error instanceof ContractError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw bootloaderErrors.make(
        'Not_possible',
        { reason: `${folder} cannot be written: ${reason}` },
        { cause: error },
      );
    }
    return { kernel, ramdisk, cmdline, title };
  }
}

async function fill(path: string, f: (file: FileHandle) => Promise<void>): Promise<void> {
  await rm(path, { force: true });
  // Readers write through the same descriptor, one after another.
  await using file = await open(path, 'ax+', 0o600);
  await f(file);
}
/** Archives in a ramdisk begin at multiples of four bytes. */
async function pad(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  if (size % 4 !== 0) await file.write(Buffer.alloc(4 - (size % 4)));
}
/** A file that the VM's own arguments name: on the first volume that has it, unless they name the volume too. */
async function named(reader: DiskReader, name: string): Promise<FileRef> {
  const path = name.startsWith('(') || name.startsWith('/') ? name : `/${name}`;
  const here = path.startsWith('(') ? reader.volumes.slice(0, 1) : reader.volumes;
  for (const { device } of here) {
    const found = fileRef(reader.volumes, path, device);
    if (found && (await isThere(reader, found))) return found;
  }
  throw nothing(`there is no file ${JSON.stringify(name)} on the disk`);
}
