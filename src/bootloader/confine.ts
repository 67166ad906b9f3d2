/** Runs a program that reads what guests and strangers wrote, so that it can harm nobody when that takes it over: few rights, few means, little time. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import { bootloaderErrors } from '../contracts/bootloader.ts';

/** A user that nobody else is. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}
/** Where a confined program runs: the namespaces of a process that serves the disk. */
export interface Place {
  readonly pid: number;
  /** It has a user namespace of its own: we are not root. */
  readonly ownUsers: boolean;
}
export interface Confined {
  readonly place?: Place | undefined;
  /** Root only: whom the program runs as. */
  readonly user?: User | undefined;
  /** Bytes of a file that it writes. */
  readonly output: number;
  /** Wall-clock time. */
  readonly timeoutMs: number;
  /** An open file that takes its output instead of the answer. */
  readonly to?: number;
  /** What it reads on stdin. */
  readonly input?: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}
export interface Ended {
  readonly ok: boolean;
  readonly out: string;
  /** The last words on stderr, or how it ended. */
  readonly words: string;
}
const memory = 1 << 30;
const cpuS = 60;
const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
/** Ids that no distribution gives to people, services or containers; beside those of guests. */
const firstUser = 1_899_000_000;

/** Users of readers, one for each disk that is read at a time; undefined when this process cannot be other users. */
export async function readerUsers(): Promise<((slot: number) => User) | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const map = await readFile('/proc/self/uid_map', 'utf8');
  const mapped = map.split('\n').some((line) => {
    const [first = NaN, , count = NaN] = line.trim().split(/\s+/).map(Number);
    return first <= firstUser && firstUser + 1_000 < first + count;
  });
  return mapped ? (slot) => ({ uid: firstUser + slot, gid: firstUser + slot }) : undefined;
}

/** The whole command line of a confined program. */
export function confinedCommand(command: readonly string[], c: Pick<Confined, 'place' | 'user' | 'output'>): string[] {
  const root = process.getuid?.() === 0;
  const { place, user } = c;
  const enter = place
    ? [
        'nsenter',
        '--target',
        String(place.pid),
        '--mount',
        '--net',
        '--ipc',
        ...(place.ownUsers ? ['--user', '--preserve-credentials'] : []),
        '--',
      ]
    : [];
  const limits = [`--as=${memory}`, `--cpu=${cpuS}`, `--fsize=${c.output}`, '--core=0', '--nofile=64', '--'];
  const identity = user ? ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups'] : [];
  // Without a namespace of one's own or root's rights there are no capabilities to give up.
  const rights =
    root || place?.ownUsers ? ['--bounding-set', '-all', '--inh-caps', '-all', '--ambient-caps', '-all'] : [];
  const give = ['setpriv', ...identity, ...rights, '--no-new-privs', '--pdeathsig', 'KILL', '--'];
  return [...enter, 'prlimit', ...limits, ...give, ...command];
}

/** Runs it to its end, which is forced when it takes or says too much. Cancelled when the signal aborts. */
export function confined(command: readonly string[], c: Confined): Promise<Ended> {
  const [program = '', ...args] = confinedCommand(command, c);
  return new Promise((resolve, reject) => {
    if (c.signal?.aborted) return reject(bootloaderErrors.make('Cancelled'));
    const child = spawn(program, args, {
      stdio: [c.input === undefined ? 'ignore' : 'pipe', c.to ?? 'pipe', 'pipe'],
      env: environment,
      cwd: '/',
    });
    // One that ends before it has read everything says why on stderr.
    child.stdin?.on('error', () => undefined).end(c.input);
    let why: string | undefined;
    const stop = (reason: string) => {
      why ??= reason;
      child.kill('SIGKILL');
    };
    const aborted = () => stop('cancelled');
    c.signal?.addEventListener('abort', aborted, { once: true });
    const cancelTimer = c.clock.after(c.timeoutMs, () => stop(`it took longer than ${c.timeoutMs / 1000} s`));
    const out: Buffer[] = [];
    let length = 0;
    child.stdout?.on('data', (piece: Buffer) => {
      length += piece.length;
      if (length > c.output) stop(`there are more than ${c.output} bytes`);
      else out.push(piece);
    });
    let words = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-2_000);
    });
    const over = (settle: () => void) => {
      cancelTimer();
      c.signal?.removeEventListener('abort', aborted);
      settle();
    };
    child.once('error', (error) => over(() => reject(notStarted(command[0] ?? '', error.message))));
    child.once('close', (code, how) =>
      over(() => {
        if (c.signal?.aborted) return reject(bootloaderErrors.make('Cancelled'));
        const missing = /failed to execute|No such file or directory/.test(words) && code !== null && code >= 126;
        if (missing) return reject(notStarted(command[0] ?? '', words.trim()));
        if (how === 'SIGXFSZ') why ??= `it has more than ${c.output} bytes`;
        if (how === 'SIGXCPU') why ??= `reading it takes more than ${cpuS} s of computing`;
        const said =
          words
            .trim()
            .split('\n')
            .at(-1)
            ?.replace(/^\S+: error: /, '') ?? '';
        const last = why ?? (said || `the reader ended with ${how ?? `status ${code}`}`);
        resolve({ ok: code === 0 && why === undefined, out: Buffer.concat(out).toString('utf8'), words: last });
      }),
    );
  });
}
function notStarted(program: string, detail: string): Error {
  const reason = existsSync(`/usr/bin/${program}`)
    ? `${program} did not start: ${detail}`
    : `${program} is not installed; the package ${packages[program] ?? program} has it`;
  return bootloaderErrors.make('Not_possible', { reason });
}
const packages: Readonly<Record<string, string>> = {
  'grub-fstest': 'grub-common',
  'qemu-storage-daemon': 'qemu-system-common',
  'qemu-img': 'qemu-utils',
};

export { environment as readerEnvironment };
