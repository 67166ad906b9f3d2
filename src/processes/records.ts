/**
 * What a supervisor leaves for the next one: one small file a child. It is written before the child is started (pid 0, with
 * a token that the child carries in its environment) and after, so that no child is ever without a record.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import type { ProcessSpec } from '../contracts/processes.ts';

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
}

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
  remove(id: string): void {
    rmSync(this.#path(id), { force: true });
  }
  /** Every record; a file that cannot be read is reported and left where it is. */
  readAll(log: Log): ChildRecord[] {
    return readdirSync(this.#folder).flatMap((name) => {
      if (!name.endsWith('.json')) return [];
      try {
        return [JSON.parse(readFileSync(join(this.#folder, name), 'utf8')) as ChildRecord];
      } catch (error) {
        log.error('a record of a child is damaged; the child is not looked after', {
          file: name,
          error: String(error),
        });
        return [];
      }
    });
  }
  /** Any id gives a plain file name: dots are kept from leading. */
  #path(id: string): string {
    return join(this.#folder, `=${encodeURIComponent(id)}.json`);
  }
}
