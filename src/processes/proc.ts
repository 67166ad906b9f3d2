/** What the kernel says about a process. A pid alone is no identity; a pid with its start time is one, for one boot. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessStat {
  readonly pid: number;
  /** Clock ticks after boot (field 22 of /proc/PID/stat). */
  readonly startTime: string;
  /** It has ended and waits to be reaped. */
  readonly zombie: boolean;
  /** Leads its session, as every child of ours does and their own children do not. */
  readonly leadsSession: boolean;
}

/** Undefined when there is no such process. */
export function statOf(pid: number): ProcessStat | undefined {
  const text = readProc(`/proc/${pid}/stat`);
  if (!text) return undefined;
  // The second field is the program's name in brackets, and may contain spaces and brackets.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = '', , , session] = fields;
  const zombie = state === 'Z' || state === 'X';
  return { pid, startTime: fields[19] ?? '', zombie, leadsSession: Number(session) === pid };
}

/** Whether that very process still runs. */
export function isAlive(pid: number, startTime: string): boolean {
  if (pid <= 0) return false;
  const stat = statOf(pid);
  return stat !== undefined && stat.startTime === startTime && !stat.zombie;
}

/** Changes with every boot of the host. */
export const bootId = (): string => (readProc('/proc/sys/kernel/random/boot_id') ?? '').trim();

/** Session leaders whose environment holds `variable`; those that may not be looked into are left out. */
export function findByEnvironment(variable: string): ProcessStat | undefined {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    if (!readProc(`/proc/${name}/environ`)?.split('\0').includes(variable)) continue;
    const stat = statOf(Number(name));
    if (stat?.leadsSession && !stat.zombie) return stat;
  }
  return undefined;
}

/** Undefined when the process is gone or is somebody else's. */
function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return undefined;
    throw error;
  }
}

const pageBytes = 4096;
/** The only child of a process; itself when it has none or several. */
export function onlyChildOf(pid: number): number {
  const children = readProc(`/proc/${pid}/task/${pid}/children`)?.trim().split(' ') ?? [];
  return children.length === 1 && children[0] !== '' ? Number(children[0]) : pid;
}
/** Bytes that the process holds in memory (field 2 of /proc/PID/statm); undefined when it is gone. */
export function memoryOf(pid: number): number | undefined {
  const pages = Number(readProc(`/proc/${pid}/statm`)?.split(' ')[1]);
  return Number.isFinite(pages) ? pages * pageBytes : undefined;
}
