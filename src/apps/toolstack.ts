/** Starting and finding the supervisor and the house of a data folder, for `up`, `down` and `status`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { isKind } from '../contracts/contract.ts';
import { houseContract } from '../contracts/house.ts';
import { type Processes, type ProcessSpec, processesContract } from '../contracts/processes.ts';
import { statOf } from '../processes/index.ts';
import { type ConnectOptions, checkSocketPath, connectContract, isAnswered } from '../rpc/index.ts';
import type { Places } from './places.ts';
import { Refusal } from './refusal.ts';
import type { UpOptions } from './up-options.ts';
import { root, version } from './version.ts';

export const houseId = 'house';
/** How long the house gets to end; its guests run on. */
export const houseStopMs = 20_000;
const supervisorStartMs = 20_000;

/** Makes the folders, with rights for guests' own users to pass through but not to look. */
export function makePlaces(at: Places): void {
  try {
    makeFolder(at.data, 0o711);
    makeFolder(at.run, 0o711);
    makeFolder(at.logs, 0o700);
    checkSocketPath(at.supervisorSocket);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new Refusal(`--data ${at.data}: ${noFolder[code] ?? message}; choose another folder with --data DIR`);
  }
}

const noFolder: Readonly<Record<string, string>> = {
  EACCES: 'you may not write there (EACCES)',
  EPERM: 'nobody can make a folder there (EPERM)',
  EROFS: 'you may not write there (EROFS)',
  ENOENT: 'nobody can make a folder there (ENOENT)',
  EEXIST: 'it is a file',
  ENOTDIR: 'it lies below a file',
  ENOSPC: 'the disk is full',
};

/** Node's own recursive form never ends below /proc, where a folder that exists cannot be written. */
function makeFolder(path: string, mode: number): void {
  if (!existsSync(dirname(path))) makeFolder(dirname(path), mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    // It was there, or another `up` was faster.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

export const connectSupervisor = (at: Places, options: ConnectOptions = {}) =>
  connectContract(processesContract, at.supervisorSocket, options);
export const connectHouse = (at: Places, options: ConnectOptions = {}) =>
  connectContract(houseContract, at.houseSocket, options);

/** Programs are compiled once; what is kept is worth half of the start-up time and most of the memory. */
const environment = (): NodeJS.ProcessEnv => ({
  NODE_COMPILE_CACHE: join(root, 'build', 'compile-cache'),
  ...process.env,
});
export const nodeFlags = ['--disable-warning=ExperimentalWarning'];
/** A larger nursery than this makes the house no faster, but with 10,000 VMs holds a third more memory. */
const houseFlags = [...nodeFlags, '--max-semi-space-size=16'];
export const program = (name: string) => join(root, 'src', 'apps', `${name}.ts`);

/** Starts the supervisor unless one answers. It outlives this process. */
export async function ensureSupervisor(at: Places): Promise<void> {
  if (await isAnswered(at.supervisorSocket)) return;
  const output = at.output('supervisor');
  const from = sizeOf(output);
  const log = openSync(output, 'a', 0o600);
  const child = spawn(join(root, 'bin', 'forkexecd'), ['--data', at.data], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    env: environment(),
  });
  closeSync(log);
  child.unref();
  await answers(at, child, () => readFileSync(output, 'utf8').slice(from).trim());
}

async function answers(at: Places, child: ChildProcess, said: () => string): Promise<void> {
  let ended: string | undefined;
  child.once('exit', (code, signal) => {
    ended = `it ended with ${signal ?? code}`;
  });
  child.once('error', (error) => {
    ended = error.message;
  });
  const deadline = systemClock.now() + supervisorStartMs;
  while (!(await isAnswered(at.supervisorSocket))) {
    // Two may have been started at once; then the other one answers in a moment.
    if (ended && !said().includes('another supervisor'))
      throw new Refusal(`the supervisor did not start: ${said() || ended}; see ${at.log('supervisor')}`);
    if (systemClock.now() > deadline) throw new Refusal(`the supervisor does not answer; see ${at.log('supervisor')}`);
    await systemClock.sleep(20);
  }
}

/** Guests that are processes, as the backends tag them; those of the simulator live in the house. */
export async function guestProcesses(processes: Processes): Promise<number> {
  return (await processes.process.list({})).filter((p) => p.running && p.tags['kind'] === 'guest').length;
}

/** Ends the supervisor, and answers when its process is gone. */
export async function endSupervisor(processes: Processes, children: boolean): Promise<void> {
  const { pid } = await processes.supervisor.info({});
  await processes.supervisor.shutdown({ children });
  while (statOf(pid)?.zombie === false) await systemClock.sleep(10);
}

/** Only what it needs: the environment is kept in a file, and a user's may hold secrets. */
export function houseEnvironment(): Record<string, string> {
  const kept = /^(PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|XDG_\w+|GUESTHOUSE_\w+|NODE_\w+)$/;
  const all = Object.entries(environment());
  return Object.fromEntries(all.flatMap(([k, v]) => (v !== undefined && kept.test(k) ? [[k, v]] : [])));
}

/** The house as the supervisor is to run it. */
export function houseSpec(at: Places, options: UpOptions, houseProgram: string = program('house')): ProcessSpec {
  const { listen, listenTls, hypervisor, store, demo } = options;
  // A host that was made so stays so.
  const separate = options.separate || existsSync(at.separateMark);
  const args = [
    '--data',
    at.data,
    '--listen',
    listen,
    '--listen-tls',
    listenTls,
    '--hypervisor',
    hypervisor,
    '--store',
    store,
  ];
  return {
    id: houseId,
    command: [
      process.execPath,
      ...houseFlags,
      houseProgram,
      ...args,
      ...(demo ? ['--demo'] : []),
      ...(separate ? ['--separate'] : []),
    ],
    log: at.output('house'),
    env: houseEnvironment(),
    cwd: '/',
    restart: 'permanent',
    ready: { kind: 'said' },
    tags: { version },
  };
}

/** The house's process as the supervisor knows it; undefined when there never was one. */
export async function houseProcess(processes: Processes) {
  try {
    return await processes.process.stat({ id: houseId });
  } catch (error) {
    if (isKind(error, 'Does_not_exist')) return undefined;
    throw error;
  }
}

/** Whether the house that runs is the one that was asked for. */
export async function houseRunsAs(processes: Processes, spec: ProcessSpec): Promise<boolean> {
  const found = await houseProcess(processes);
  return (
    found?.running === true && found.command.join('\0') === spec.command.join('\0') && found.tags['version'] === version
  );
}

export const sizeOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0);
