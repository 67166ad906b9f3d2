/**
 * What must survive a kill -9, in one file that grows: a first line with the whole state, then a line per change. Lines of a turn count
 * before anything of that turn is answered, so what a client was told is in the file (the kernel keeps it when the program dies;
 * a reboot ends every domain, so nothing is forced to the disk). A file that grew too long is replaced by its first line alone.
 *
 *     readJournal(core, file) ─▶ tree, domains, watches of rings ─▶ attach ─▶ startJournal(core, file) ─▶ every change is written
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Log } from '../base/log.ts';
import type { Libc } from '../xen/libc.ts';
import type { Connection } from './connection.ts';
import type { Core, Journal } from './core.ts';
import type { Domain } from './domains.ts';
import type { Effect } from './edits.ts';
import { beginFile, type JournalFile, readLines } from './journal-file.ts';
import type { Permissions } from './permissions.ts';
import {
  type ConnectionRecord,
  type DomainRecord,
  domainRecord,
  dump,
  type EffectRecord,
  effectRecord,
  type Lives,
  load,
  type PermissionsRecord,
  permissionsRecord,
  type State,
  StateError,
  type WatchRecord,
  watchRecords,
} from './state.ts';

type Line =
  | EffectRecord
  | readonly ['watches', domid: number, WatchRecord[]]
  | readonly ['domain', DomainRecord]
  | readonly ['gone', unique: number, domid: number]
  | readonly ['special', name: string, PermissionsRecord];

export interface Recovered {
  readonly lives: Lives;
  /** The rings that were served, with their watches. */
  readonly connections: readonly ConnectionRecord[];
}

/** Fills a new core with what the file holds; undefined when there is none. Throws `StateError` when the file cannot be understood. */
export function readJournal(core: Core, file: string): Recovered | undefined {
  let lines: string[] | undefined;
  try {
    lines = readLines(file);
  } catch (error) {
    throw new StateError(`${file}: ${(error as Error).message}`, { cause: error });
  }
  if (lines === undefined) return undefined;
  const parse = (line: string, number: number): unknown => {
    try {
      return JSON.parse(line);
    } catch (error) {
      throw new StateError(`${file}:${number + 1}: not a line of the store's state (${(error as Error).message})`);
    }
  };
  const [first, ...changes] = lines.map(parse);
  if (first === undefined) return undefined;
  const state = first as State;
  const lives = load(core, state);
  const watches = new Map<number, readonly WatchRecord[]>();
  for (const each of state.connections) if (each.ring) watches.set(each.domid, each.watches);
  for (const [index, change] of (changes as Line[]).entries()) {
    try {
      apply(core, lives, watches, change);
    } catch (error) {
      throw new StateError(`${file}:${index + 2}: ${(error as Error).message}`, { cause: error });
    }
  }
  const connections = [...watches].map(([domid, list]) => ({ id: 0, domid, ring: true, watches: list }));
  return { lives, connections };
}

function apply(core: Core, lives: Lives, watches: Map<number, readonly WatchRecord[]>, line: Line): void {
  switch (line[0]) {
    case 'watches':
      watches.set(line[1], line[2]);
      return;
    case 'domain':
      lives.domain(line[1]);
      return;
    case 'gone': {
      const domain = core.domains.find(line[2]);
      watches.delete(line[2]);
      if (domain?.unique === line[1]) core.domains.forget(domain);
      return;
    }
    case 'special':
      core.setSpecialPermissions(line[1], lives.permissions(line[2]));
      return;
    default:
      core.edits.apply(lives.effect(line));
  }
}

/** Writes the state of `core` to `file` and from now on every change; through memory where a `libc` is given. */
export function startJournal(core: Core, file: string, log: Log, libc?: Libc): CoreJournal {
  const journal = new CoreJournal(core, file, log, libc);
  core.journal = journal;
  return journal;
}

export class CoreJournal implements Journal {
  readonly #core: Core;
  readonly #path: string;
  readonly #log: Log;
  readonly #libc: Libc | undefined;
  #file: JournalFile | undefined;

  constructor(core: Core, path: string, log: Log, libc?: Libc) {
    this.#core = core;
    this.#path = path;
    this.#log = log;
    this.#libc = libc;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#checkpoint();
  }
  effect(effect: Effect): void {
    this.#add(effectRecord(effect));
  }
  watches(connection: Connection): void {
    if (connection.domain.connection !== connection) return;
    this.#add(['watches', connection.domain.domid, watchRecords(connection)]);
  }
  domain(domain: Domain): void {
    this.#add(domain.gone ? ['gone', domain.unique, domain.domid] : ['domain', domainRecord(this.#core, domain)]);
  }
  special(name: string, permissions: Permissions): void {
    this.#add(['special', name, permissionsRecord(permissions)]);
  }
  flush(): void {
    try {
      if (!this.#file?.commit()) this.#checkpoint();
    } catch (error) {
      // Serving on is better than stopping every guest's devices; the next change tries again with a whole new file.
      this.#log.error('the state could not be written; a kill would lose changes', {
        file: this.#path,
        error: String(error),
      });
    }
  }
  /** Ends the writing; the file stays, or goes with `remove`. */
  close({ remove = false } = {}): void {
    this.flush();
    this.#core.journal = undefined;
    this.#file?.close();
    this.#file = undefined;
    if (remove) rmSync(this.#path, { force: true });
  }

  #add(line: Line): void {
    this.#file?.add(`${JSON.stringify(line)}\n`);
  }
  /** Replaces the file by one that holds the state as it is now. */
  #checkpoint(): void {
    const state = dump(this.#core);
    // A kill closes every socket, and what was buffered is answered again from the rings.
    const connections = state.connections
      .filter((each) => each.ring)
      .map(({ id, domid, ring, watches }) => ({ id, domid, ring, watches }));
    const next = `${this.#path}.new`;
    try {
      const file = beginFile(next, `${JSON.stringify({ ...state, connections })}\n`, this.#libc);
      renameSync(next, this.#path);
      this.#file?.close();
      this.#file = file;
    } catch (error) {
      if (!this.#file) throw error;
      this.#log.error('the state could not be written anew', { file: this.#path, error: String(error) });
    }
  }
}
