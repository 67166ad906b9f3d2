/** Runs a program to its end: no shell, a fixed locale; it dies with this process and by the caller's signal. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { BoxProblem } from './problem.ts';

export interface ToolOptions {
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  readonly signal?: AbortSignal;
  /** More variables of the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The Debian package that has the program. */
  readonly package?: string;
}

const setpriv = '/usr/bin/setpriv';

/** The command line with which a program dies when this process does. */
export function bound(command: readonly string[]): readonly [string, ...string[]] {
  const [program = '', ...args] = command;
  return existsSync(setpriv) ? [setpriv, '--pdeathsig', 'KILL', '--', program, ...args] : [program, ...args];
}

/** Answers what it printed on stdout. Rejects with a `BoxProblem` that has its last words. */
export function runTool(command: readonly string[], options: ToolOptions = {}): Promise<string> {
  const { cwd = '/', input, signal, env = {} } = options;
  const [program, ...args] = bound(command);
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const child = spawn(program, args, {
      cwd,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`, LC_ALL: 'C', ...env },
    });
    const kill = () => child.kill('SIGKILL');
    signal?.addEventListener('abort', kill, { once: true });
    const out: Buffer[] = [];
    let words = '';
    child.stdout?.on('data', (part: Buffer) => out.push(part));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-4000);
    });
    // A program that ends early does not read its input; its status tells.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
    child.on('error', (error) => reject(new BoxProblem(failure(command, error.message, options.package))));
    child.on('close', (code, how) => {
      signal?.removeEventListener('abort', kill);
      if (code === 0) resolve(Buffer.concat(out).toString('utf8'));
      else if (signal?.aborted) reject(signal.reason);
      else {
        const detail = words.trim().split('\n').slice(-6).join('\n') || `it ended with ${how ?? `status ${code}`}`;
        reject(new BoxProblem(failure(command, detail, options.package)));
      }
    });
  });
}

function failure([program = '']: readonly string[], detail: string, debian: string | undefined): string {
  if (/ENOENT|failed to execute .*No such file/.test(detail))
    return `${program} is not installed; apt-get install ${debian ?? program}`;
  return `${program}: ${detail}`;
}
