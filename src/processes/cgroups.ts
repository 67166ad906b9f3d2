/**
 * Limits of a child and of all that it starts, by control groups: one folder a child, version 2 where its controllers are, else the
 * hierarchies of version 1. A child is put into its folder as soon as it runs, with what it may have started by then.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ProcessSpec } from '../contracts/processes.ts';

export type Limits = NonNullable<ProcessSpec['limits']>;
type Limit = keyof Limits;
interface Row {
  /** Version 1's hierarchy, version 2's controller. */
  readonly controller: string;
  readonly v1: (value: number) => readonly (readonly [string, string])[];
  readonly v2: (value: number) => readonly (readonly [string, string])[];
}
const periodUs = 100_000;
const rows: Readonly<Record<Limit, Row>> = {
  memory: {
    controller: 'memory',
    v1: (bytes) => [['memory.limit_in_bytes', `${bytes}`]],
    v2: (bytes) => [['memory.max', `${bytes}`]],
  },
  cpus: {
    controller: 'cpu',
    v1: (cpus) => [
      ['cpu.cfs_period_us', `${periodUs}`],
      ['cpu.cfs_quota_us', `${Math.round(cpus * periodUs)}`],
    ],
    v2: (cpus) => [['cpu.max', `${Math.round(cpus * periodUs)} ${periodUs}`]],
  },
  processes: {
    controller: 'pids',
    v1: (n) => [['pids.max', `${n}`]],
    v2: (n) => [['pids.max', `${n}`]],
  },
};

export interface Confined {
  /** The process, and what it has started. */
  take(pid: number): void;
  /** Drops the folders, unless somebody is in them still. */
  drop(): void;
}

/** Makes the folders with the limits in them; throws when the host cannot. `owner` tells one supervisor's folders from another's. */
export function confine(owner: string, id: string, limits: Limits, root = '/sys/fs/cgroup'): Confined {
  const wanted = (Object.keys(rows) as Limit[]).flatMap((name) => {
    const value = limits[name];
    return value === undefined ? [] : [{ row: rows[name], value }];
  });
  const leaf = join(`guesthouse-${digest(owner)}`, digest(id));
  const second = existsSync(join(root, 'cgroup.controllers'));
  const folders = second
    ? [
        makeSecond(
          root,
          leaf,
          wanted.map(({ row }) => row.controller),
        ),
      ]
    : wanted.map(({ row }) => makeFirst(root, row.controller, leaf));
  for (const [i, { row, value }] of wanted.entries())
    for (const [file, text] of second ? row.v2(value) : row.v1(value))
      writeFileSync(join(folders[second ? 0 : i] ?? '', file), text);
  return {
    take: (pid) => {
      for (const each of [pid, ...descendants(pid)]) for (const folder of folders) put(folder, each);
    },
    drop: () => {
      // The last child of a supervisor takes the folder above with it.
      for (const folder of folders) for (const each of [folder, dirname(folder)]) remove(each);
    },
  };
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** Below the supervisor's own, so that what limits it limits its children too. */
function makeFirst(root: string, controller: string, leaf: string): string {
  const line = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .find((each) => each.split(':')[1]?.split(',').includes(controller));
  if (line === undefined || !existsSync(join(root, controller)))
    throw new Error(`this host's kernel has no control group ${controller} at ${root}`);
  const own = join(root, controller, line.split(':').slice(2).join(':'));
  const folder = join(own, leaf);
  mkdirSync(folder, { recursive: true });
  return folder;
}
/** Below the root: a folder with processes of its own may not hand controllers down. */
function makeSecond(root: string, leaf: string, controllers: readonly string[]): string {
  const [family = '', own = ''] = leaf.split('/');
  const there = readFileSync(join(root, 'cgroup.controllers'), 'utf8').split(/\s+/);
  const missing = controllers.find((each) => !there.includes(each));
  if (missing !== undefined) throw new Error(`this host's kernel has no controller ${missing} at ${root}`);
  const on = controllers.map((each) => `+${each}`).join(' ');
  mkdirSync(join(root, family), { recursive: true });
  for (const folder of [root, join(root, family)]) writeFileSync(join(folder, 'cgroup.subtree_control'), on);
  mkdirSync(join(root, family, own), { recursive: true });
  return join(root, family, own);
}

function descendants(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
    return text === '' ? [] : text.split(' ').flatMap((child) => [Number(child), ...descendants(Number(child))]);
  } catch {
    // It has ended.
    return [];
  }
}
function put(folder: string, pid: number): void {
  try {
    writeFileSync(join(folder, 'cgroup.procs'), `${pid}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
function remove(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // What a child has started may live on in there; the next start uses the folder again.
    if (code !== 'EBUSY' && code !== 'ENOTEMPTY' && code !== 'ENOENT') throw error;
  }
}
