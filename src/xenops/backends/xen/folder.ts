/**
 * Where domains live on disk: `ROOT/<vm>/` with `domain.json`, the console's log and sockets. Only we may enter. Their small files
 * are written at once and not flushed, which is done sooner than a thread for it is woken.
 */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bestEffort } from '../../../base/best-effort.ts';
import { isUuid } from '../../../base/ids.ts';
import type { Log } from '../../../base/log.ts';
import type { DomainRecord } from './record.ts';

/** Linux's limit for a socket's path, without the final NUL. */
const longestSocketPath = 107;

export interface Paths {
  readonly folder: string;
  /** Where clients reach the guest's console, and where what they type goes. */
  readonly console: string;
  readonly line: string;
  /** The screen of an HVM guest, and the way to its emulator. */
  readonly vnc: string;
  readonly qmp: string;
  readonly consoleLog: string;
  readonly emulatorLog: string;
  /** The memory of the last guest that crashed. */
  readonly coreDump: string;
}

export class Folders {
  readonly #root: string;
  readonly #logDir: string;
  readonly #log: Log;

  constructor(root: string, logDir: string, log: Log) {
    this.#root = root;
    this.#logDir = logDir;
    this.#log = log;
  }
  async open(): Promise<void> {
    const longest = Buffer.byteLength(this.paths('0'.repeat(36)).console);
    if (longest > longestSocketPath)
      throw new Error(
        `the folder ${this.#root} is too long for unix sockets (${longest} bytes, ${longestSocketPath} possible): choose a shorter one`,
      );
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    await mkdir(this.#logDir, { recursive: true, mode: 0o755 });
  }
  paths(vm: string): Paths {
    const folder = join(this.#root, vm);
    return {
      folder,
      console: join(folder, 'console'),
      line: join(folder, 'line'),
      vnc: join(folder, 'vnc'),
      qmp: join(folder, 'qmp'),
      consoleLog: join(this.#logDir, `${vm}.console.log`),
      emulatorLog: join(this.#logDir, `${vm}.qemu.log`),
      coreDump: join(this.#logDir, `${vm}.core`),
    };
  }
  /** Makes the folder of a domain, and the way free for a new log of its console; the last run's is kept beside it. */
  async create(record: DomainRecord): Promise<void> {
    const vm = record.spec.id;
    const { folder, consoleLog } = this.paths(vm);
    if (existsSync(folder)) await this.remove(vm);
    mkdirSync(folder, { mode: 0o700 });
    if (existsSync(consoleLog)) renameSync(consoleLog, `${consoleLog}.1`);
    await this.write(record);
  }
  /** The folder of a domain that has another name now: the console's log goes on. */
  async take(record: DomainRecord): Promise<void> {
    await mkdir(this.paths(record.spec.id).folder, { recursive: true, mode: 0o700 });
    await this.write(record);
  }
  async write(record: DomainRecord): Promise<void> {
    const file = join(this.paths(record.spec.id).folder, 'domain.json');
    writeFileSync(`${file}.next`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${file}.next`, file);
  }
  /** The domains that have a folder; `undefined` for one whose record is absent or damaged. */
  async list(): Promise<ReadonlyMap<string, DomainRecord | undefined>> {
    const found = new Map<string, DomainRecord | undefined>();
    for (const name of await readdir(this.#root)) if (isUuid(name)) found.set(name, await this.#read(name));
    return found;
  }
  #read(vm: string): Promise<DomainRecord | undefined> {
    return bestEffort('a domain without a readable record is half-made', this.#log, async () => {
      const record = JSON.parse(await readFile(join(this.paths(vm).folder, 'domain.json'), 'utf8')) as DomainRecord;
      if (record.version !== 1 || record.spec.id !== vm) throw new Error(`not the record of ${vm}`);
      return record;
    });
  }
  /** Removes what the domain had on disk; its logs stay. */
  remove(vm: string): Promise<void> {
    return rm(this.paths(vm).folder, { recursive: true, force: true });
  }
  /** Removes the VM's logs and its core dump. */
  async forget(vm: string): Promise<void> {
    const { consoleLog, emulatorLog, coreDump } = this.paths(vm);
    const all = [coreDump, ...[consoleLog, emulatorLog].flatMap((log) => [log, `${log}.1`])];
    await Promise.all(all.map((path) => rm(path, { force: true })));
  }
}
