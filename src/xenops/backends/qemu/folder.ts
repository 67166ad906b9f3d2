/**
 * Where domains live on disk: `ROOT/<vm>/domain.json` and `console.log` in a folder that only we may change, and
 * `ROOT/<vm>/run/`, which belongs to the guest's user and holds its sockets. QEMU is not trusted with the rest.
 */
import { existsSync, renameSync } from 'node:fs';
import {
  chmod,
  chown,
  copyFile,
  lchown,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bestEffort } from '../../../base/best-effort.ts';
import { isUuid } from '../../../base/ids.ts';
import type { Log } from '../../../base/log.ts';
import type { DomainPaths } from './arguments.ts';
import type { DomainRecord } from './record.ts';
import type { Remembered } from './remembered.ts';

/** Linux's limit for a socket's path, without the final NUL. */
const longestSocketPath = 107;
/** Bytes of a console log before it is turned over; one older one is kept. */
const consoleLogBytes = 16 << 20;

/** The file in which swtpm keeps all that outlives a reset. */
const tpmState = 'tpm2-00.permall';

/** Folders that are being removed. */
const trashPrefix = 'removed-';
const recursively = { recursive: true, force: true } as const;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface Paths extends DomainPaths {
  readonly folder: string;
  /** Belongs to the guest's user. */
  readonly run: string;
  readonly migration: string;
  /** Where a guest's state is taken from another domain; whoever may send it can open it. */
  readonly stream: string;
  /** Where clients reach the guest's serial line; `serial` is for the hub. */
  readonly console: string;
  readonly consoleCopy: string;
  readonly qemuLog: string;
  /** Where the guest's TPM is spoken to. */
  readonly tpm: string;
  readonly tpmLog: string;
}

export class Folders {
  readonly #root: string;
  readonly #logDir: string;
  readonly #log: Log;
  readonly #removals = new Set<Promise<unknown>>();
  #removed = 0;

  constructor(root: string, logDir: string, log: Log) {
    this.#root = root;
    this.#logDir = logDir;
    this.#log = log;
  }
  /** Makes the roots. Refuses a root whose sockets would have too long a name. */
  async open(): Promise<void> {
    const longest = Buffer.byteLength(this.paths('0'.repeat(36)).migration);
    if (longest > longestSocketPath)
      throw new Error(
        `the folder ${this.#root} is too long for unix sockets (${longest} bytes, ${longestSocketPath} possible): choose a shorter one`,
      );
    await mkdir(this.#root, { recursive: true, mode: 0o711 });
    await mkdir(this.#logDir, { recursive: true, mode: 0o755 });
    const left = (await readdir(this.#root)).filter((name) => name.startsWith(trashPrefix));
    await Promise.all(left.map((name) => rm(join(this.#root, name), recursively)));
  }
  paths(vm: string): Paths {
    const folder = join(this.#root, vm);
    const run = join(folder, 'run');
    return {
      folder,
      run,
      qmp: join(run, 'qmp'),
      serial: join(run, 'serial'),
      agent: join(run, 'agent'),
      tpm: join(run, 'tpm'),
      vnc: join(run, 'vnc'),
      migration: join(run, 'migration'),
      stream: join(folder, 'stream'),
      console: join(folder, 'console'),
      consoleLog: join(folder, 'console.log'),
      consoleCopy: join(this.#logDir, `${vm}.console.log`),
      qemuLog: join(this.#logDir, `${vm}.qemu.log`),
      tpmLog: join(this.#logDir, `${vm}.tpm.log`),
    };
  }
  /** Makes the folder of a domain; what an earlier one left there is removed. */
  async create(record: DomainRecord, owner: Owner | undefined): Promise<void> {
    const vm = record.spec.id;
    const { folder, run, consoleLog } = this.paths(vm);
    await this.remove(vm);
    try {
      await mkdir(folder, { mode: 0o711 });
      const forGuest = async (path: string, make: Promise<unknown>) => {
        await make;
        if (owner) await chown(path, owner.uid, owner.gid);
      };
      const log = forGuest(consoleLog, writeFile(consoleLog, '', { flag: 'wx', mode: 0o600 }));
      // All of it is over before anything is cleaned up.
      const made = await Promise.allSettled([
        forGuest(run, mkdir(run, { mode: 0o700 })),
        log.then(() => this.#startLogs(vm)),
        this.write(record),
      ]);
      for (const one of made) if (one.status === 'rejected') throw one.reason;
    } catch (error) {
      await bestEffort('the folder of a domain that could not be made', this.#log, () => this.remove(vm));
      throw error;
    }
  }
  /** Logs of the last run are kept beside this run's; the console's outlives the domain through a second name. */
  async #startLogs(vm: string): Promise<void> {
    const { consoleLog, consoleCopy, qemuLog } = this.paths(vm);
    const putAside = (path: string) =>
      rename(path, `${path}.1`).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    await Promise.all([putAside(consoleCopy), putAside(qemuLog)]);
    await bestEffort('the log folder may be on another file system', this.#log, () => link(consoleLog, consoleCopy));
  }
  async write(record: DomainRecord): Promise<void> {
    const file = join(this.paths(record.spec.id).folder, 'domain.json');
    await writeFile(`${file}.next`, JSON.stringify(record), { mode: 0o600 });
    await rename(`${file}.next`, file);
  }
  /** The domains that have a folder; `undefined` for one whose record is absent or damaged. */
  async list(): Promise<ReadonlyMap<string, DomainRecord | undefined>> {
    const found = new Map<string, DomainRecord | undefined>();
    for (const name of await readdir(this.#root)) if (isUuid(name)) found.set(name, await this.#read(name));
    return found;
  }
  async #read(vm: string): Promise<DomainRecord | undefined> {
    return bestEffort('a domain without a readable record is half-made', this.#log, async () => {
      const record = JSON.parse(await readFile(join(this.paths(vm).folder, 'domain.json'), 'utf8')) as DomainRecord;
      if (record.version !== 1 || (record.spec.id !== vm && record.becoming !== vm))
        throw new Error(`not the record of ${vm}`);
      const { becoming: _, ...rest } = record;
      return { ...rest, spec: { ...record.spec, id: vm } };
    });
  }
  /** Another domain's name for what the domain has on disk: at once, or (throws) not at all. Logs go along as far as they can. */
  rename(from: string, to: string): void {
    const [was, is] = [this.paths(from), this.paths(to)];
    renameSync(was.folder, is.folder);
    const logs = [
      [was.consoleCopy, is.consoleCopy],
      [was.qemuLog, is.qemuLog],
    ] as const;
    for (const [old, now] of logs) {
      if (existsSync(now)) renameSync(now, `${now}.1`);
      if (existsSync(old)) renameSync(old, now);
    }
  }
  /** Removes what the domain had on disk; its logs stay. The folder is gone at once, what was in it soon. */
  async remove(vm: string): Promise<void> {
    const trash = join(this.#root, `${trashPrefix}${this.#removed++}-${vm}`);
    try {
      // At once: by the next turn the VM may have a new folder.
      renameSync(this.paths(vm).folder, trash);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    const removal = bestEffort('removed when the next toolstack opens', this.#log, () => rm(trash, recursively));
    this.#removals.add(removal);
    void removal.finally(() => this.#removals.delete(removal));
  }
  /** Waits until nothing is being removed any more. */
  async close(): Promise<void> {
    await Promise.all(this.#removals);
  }
  /** Removes what outlives the VM's domains: firmware variables and logs. */
  async forget(vm: string): Promise<void> {
    const { consoleCopy, qemuLog, tpmLog } = this.paths(vm);
    const own = this.#variables(vm);
    const all = [own, `${own}.next`, ...[consoleCopy, qemuLog, tpmLog].flatMap((log) => [log, `${log}.1`])];
    await Promise.all([this.#tpm(vm), ...all].map((path) => rm(path, recursively)));
  }
  #tpm(vm: string): string {
    return join(this.#root, 'tpm', vm);
  }
  /** The folder of the state of the VM's TPM, which outlives its domains. */
  async keepTpm(vm: string, owner: Owner | undefined): Promise<string> {
    const folder = this.#tpm(vm);
    await mkdir(dirname(folder), { recursive: true, mode: 0o711 });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (!owner) return folder;
    for (const name of await readdir(folder)) await lchown(join(folder, name), owner.uid, owner.gid);
    await chown(folder, owner.uid, owner.gid);
    return folder;
  }
  /** What the VM's machine remembers; what is not there is null. */
  async remembered(vm: string): Promise<Remembered> {
    const read = (path: string) =>
      readFile(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null;
        throw error;
      });
    return { efi: await read(this.#variables(vm)), tpm: await read(join(this.#tpm(vm), tpmState)) };
  }
  /** Makes it remember this instead; there is no domain. */
  async remember(vm: string, { efi, tpm }: Remembered): Promise<void> {
    const write = async (path: string, data: Buffer | null, folderMode: number) => {
      if (data === null) return rm(path, { force: true });
      await mkdir(dirname(path), { recursive: true, mode: folderMode });
      await writeFile(`${path}.next`, data, { mode: 0o600 });
      await rename(`${path}.next`, path);
    };
    await write(this.#variables(vm), efi, 0o711);
    if (tpm === null) return rm(this.#tpm(vm), recursively);
    await mkdir(dirname(this.#tpm(vm)), { recursive: true, mode: 0o711 });
    await write(join(this.#tpm(vm), tpmState), tpm, 0o700);
  }
  #variables(vm: string): string {
    return join(this.#root, 'nvram', `${vm}.fd`);
  }
  /** The VM's own copy of firmware variables, which outlives its domains; made from `template` at first. */
  async keepVariables(vm: string, template: string, owner: Owner | undefined): Promise<string> {
    const own = this.#variables(vm);
    await mkdir(dirname(own), { recursive: true, mode: 0o711 });
    const size = async (path: string) => (await stat(path)).size;
    const fits = await size(own).then(
      async (n) => n === (await size(template)),
      () => false,
    );
    if (!fits) await this.#copyFor(template, own, undefined);
    if (owner) await chown(own, owner.uid, owner.gid);
    return own;
  }
  /** A copy of a file that the guest's user cannot read itself. */
  async give(vm: string, from: string, name: string, owner: Owner): Promise<string> {
    return this.#copyFor(from, join(this.paths(vm).folder, name), owner);
  }
  async #copyFor(from: string, to: string, owner: Owner | undefined): Promise<string> {
    await copyFile(from, `${to}.next`);
    await chmod(`${to}.next`, 0o600);
    if (owner) await chown(`${to}.next`, owner.uid, owner.gid);
    await rename(`${to}.next`, to);
    return to;
  }
  /** Keeps a talkative guest from filling the disk. */
  async turnOver(vm: string): Promise<void> {
    const { consoleLog, consoleCopy } = this.paths(vm);
    if ((await stat(consoleLog)).size <= consoleLogBytes) return;
    await copyFile(consoleLog, `${consoleCopy}.1`);
    await truncate(consoleLog);
  }
  /** The end of QEMU's own log, for error messages. */
  async lastWords(vm: string, bytes = 2000): Promise<string> {
    const text = await bestEffort('the log of a QEMU', this.#log, async () => {
      const file = await open(this.paths(vm).qemuLog, 'r');
      try {
        const { size } = await file.stat();
        const length = Math.min(size, bytes);
        const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
        return buffer.toString('utf8');
      } finally {
        await file.close();
      }
    });
    return (text ?? '').trim();
  }
}
