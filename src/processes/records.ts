/**
 * What a supervisor leaves for the next one: one small file a child. It is written before the child is started (pid 0, with
 * a token that the child carries in its environment) and after, so that no child is ever without a record.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import type { ProcessGroup, ProcessSpec } from '../contracts/processes.ts';

export interface ChildRecord {
  readonly spec: ProcessSpec;
  /** In the child's environment as `GUESTHOUSE_CHILD`; new at each start. */
  readonly token: string;
  /** Of the boot that it was started in. */
  readonly boot: string;
  /** 0 until it is started. */
  readonly pid: number;
  readonly startTime: string;
  readonly running: boolean;
  /** Its end was asked for, so it is not started again. */
  readonly stopAsked: boolean;
  readonly exitCode: number | null;
  readonly exitSignal: string | null;
  /** Its place in the order of starting. */
  readonly order: number;
  readonly restarts: number;
  /** It waits for others and was not started yet. */
  readonly waiting: boolean;
  /** Why it was given up. */
  readonly failed: string | null;
  /** Bytes of its log before this run. */
  readonly logFrom: number;
}
/** What records of an earlier version do not say. */
const defaults = { order: 0, restarts: 0, waiting: false, failed: null, logFrom: 0 };
/** Not among the records' names. */
const groupsFile = 'groups';

export class Records {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  write(record: ChildRecord): void {
    const path = this.#path(record.spec.id);
    writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  writeGroups(groups: readonly ProcessGroup[]): void {
    const path = join(this.#folder, groupsFile);
    writeFileSync(`${path}.new`, JSON.stringify(groups), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  readGroups(log: Log): ProcessGroup[] {
    const path = join(this.#folder, groupsFile);
    if (!existsSync(path)) return [];
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as ProcessGroup[];
    } catch (error) {
      log.error('the record of the groups is damaged; their children are looked after one by one', {
        error: String(error),
      });
      return [];
    }
  }
  remove(id: string): void {
    rmSync(this.#path(id), { force: true });
  }
  /** Every record in order of starting; a file that cannot be read is reported and left where it is. */
  readAll(log: Log): ChildRecord[] {
    const all = readdirSync(this.#folder).flatMap((name) => {
      if (!name.endsWith('.json')) return [];
      try {
        return [{ ...defaults, ...(JSON.parse(readFileSync(join(this.#folder, name), 'utf8')) as ChildRecord) }];
      } catch (error) {
        log.error('a record of a child is damaged; the child is not looked after', {
          file: name,
          error: String(error),
        });
        return [];
      }
    });
    return all.sort((a, b) => a.order - b.order);
  }
  /** Any id gives a plain file name: dots are kept from leading. */
  #path(id: string): string {
    return join(this.#folder, `=${encodeURIComponent(id)}.json`);
  }
}
