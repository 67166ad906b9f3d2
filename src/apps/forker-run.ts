/** Programs that forkexecd's own interface starts: with given descriptors, in sessions of their own. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { Running } from '../doors/forker/door.ts';
import type { ForkerEnd, ForkerSetup } from '../wire/forker.ts';

/** The numbers by which callers, whose language is OCaml, know signals; others keep their own. */
const signalNames = [
  ...[
    'ABRT',
    'ALRM',
    'FPE',
    'HUP',
    'ILL',
    'INT',
    'KILL',
    'PIPE',
    'QUIT',
    'SEGV',
    'TERM',
    'USR1',
    'USR2',
    'CHLD',
    'CONT',
  ],
  ...['STOP', 'TSTP', 'TTIN', 'TTOU', 'VTALRM', 'PROF', 'BUS', 'POLL', 'SYS', 'TRAP', 'URG', 'XCPU', 'XFSZ'],
];

/** `args`: the path, then what it gets. The descriptors `fds` (number there → number here) are closed here. */
export async function runProgram(
  setup: Pick<ForkerSetup, 'env' | 'syslog' | 'redirectStderr'>,
  args: readonly string[],
  fds: ReadonlyMap<number, number>,
): Promise<Running> {
  const [file = '', ...rest] = args;
  const logger = setup.syslog === null ? undefined : await started(spawnLogger(setup.syslog));
  try {
    const stdio: unknown[] = Array.from({ length: Math.max(2, ...fds.keys()) + 1 }, (_, n) => fds.get(n) ?? 'ignore');
    if (logger) stdio[1] = logger.stdin;
    if (logger && setup.redirectStderr) stdio[2] = logger.stdin;
    const options = { detached: true, shell: false, cwd: '/', env: setup.env, stdio: stdio as StdioOptions };
    const child = await started(spawn(file, rest, options)).catch(() =>
      // It ends with 127 when there is no such program, and with 126 when it cannot be executed, as the program itself would.
      started(spawn('/usr/bin/env', ['--', file], { ...options, stdio: 'ignore' })),
    );
    return { pid: child.pid ?? 0, ended: endOf(child) };
  } finally {
    logger?.stdin?.destroy();
    for (const fd of fds.values()) closeSync(fd);
  }
}

/** Lives as long as somebody holds its input. */
const spawnLogger = (name: string): ChildProcess =>
  spawn('/usr/bin/logger', ['-t', name, '-p', 'daemon.info'], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });

function started(child: ChildProcess): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child));
    child.once('error', reject);
  });
}
function endOf(child: ChildProcess): Promise<ForkerEnd> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) =>
      resolve(signal ? ['WSIGNALED', signalNumber(signal)] : ['WEXITED', code ?? 0]),
    );
  });
}
function signalNumber(signal: NodeJS.Signals): number {
  const at = signalNames.indexOf(signal.slice('SIG'.length));
  return at < 0 ? constants.signals[signal] : -(at + 1);
}
