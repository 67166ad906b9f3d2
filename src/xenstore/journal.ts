/**
 * What must survive a kill -9, in one file that grows: a first line with the whole state, then a line per change. Lines of a turn are written with
 * one call before anything of that turn is answered, so what a client was told is in the file (the kernel keeps it when the program dies;
 * a reboot ends every domain, so nothing is forced to the disk). A file that grew too long is replaced by its first line alone.
 *
 *     readJournal(core, file) ─▶ tree, domains, watches of rings ─▶ attach ─▶ startJournal(core, file) ─▶ every change is written
 */
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Log } from '../base/log.ts';
import type { Connection } from './connection.ts';
import type { Core, Journal } from './core.ts';
import type { Domain } from './domains.ts';
import type { Effect } from './edits.ts';
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

/** Bytes of changes below which the file is never rewritten. */
const leastGrowth = 1024 * 1024;

export interface Recovered {
  readonly lives: Lives;
  /** The rings that were served, with their watches. */
  readonly connections: readonly ConnectionRecord[];
}

/**
 * Fills a new core with what the file holds; undefined when there is none. A line cut short by the kill is left out: nobody was told of it.
 * Throws `StateError` when the file cannot be understood.
 */
export function readJournal(core: Core, file: string): Recovered | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const lines = text.split('\n');
  lines.pop();
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

/** Writes the state of `core` to `file` and from now on every change. */
export function startJournal(core: Core, file: string, log: Log): FileJournal {
  const journal = new FileJournal(core, file, log);
  core.journal = journal;
  return journal;
}

export class FileJournal implements Journal {
  readonly #core: Core;
  readonly #file: string;
  readonly #log: Log;
  #fd = -1;
  #lines = '';
  /** Bytes of the first line, and of all. */
  #first = 0;
  #length = 0;

  constructor(core: Core, file: string, log: Log) {
    this.#core = core;
    this.#file = file;
    this.#log = log;
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
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
    if (this.#lines === '') return;
    const bytes = Buffer.from(this.#lines, 'latin1');
    this.#lines = '';
    if (this.#length + bytes.length > Math.max(leastGrowth, this.#first * 3)) {
      this.#checkpoint();
      return;
    }
    try {
      this.#write(this.#fd, bytes);
      this.#length += bytes.length;
    } catch (error) {
      // Serving on is better than stopping every guest's devices; the next change tries again with a whole new file.
      this.#log.error('the state could not be written; a kill would lose changes', {
        file: this.#file,
        error: String(error),
      });
      this.#length = Number.POSITIVE_INFINITY;
    }
  }
  /** Ends the writing; the file stays, or goes with `remove`. */
  close({ remove = false } = {}): void {
    this.flush();
    this.#core.journal = undefined;
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    if (remove) rmSync(this.#file, { force: true });
  }

  #add(line: Line): void {
    this.#lines += `${JSON.stringify(line)}\n`;
  }
  /** Replaces the file by one that holds the state as it is now. */
  #checkpoint(): void {
    const state = dump(this.#core);
    // A kill closes every socket, and what was buffered is answered again from the rings.
    const connections = state.connections
      .filter((each) => each.ring)
      .map(({ id, domid, ring, watches }) => ({ id, domid, ring, watches }));
    const bytes = Buffer.from(`${JSON.stringify({ ...state, connections })}\n`, 'latin1');
    const next = `${this.#file}.new`;
    try {
      const fd = openSync(next, 'w', 0o600);
      this.#write(fd, bytes);
      renameSync(next, this.#file);
      if (this.#fd >= 0) closeSync(this.#fd);
      this.#fd = fd;
      this.#first = this.#length = bytes.length;
    } catch (error) {
      if (this.#fd < 0) throw error;
      this.#log.error('the state could not be written anew', { file: this.#file, error: String(error) });
    }
  }
  #write(fd: number, bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
  }
}
