/** Runs a system tool to its end: no shell, a fixed locale, killed with us and by the caller's signal. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Call } from '../contracts/contract.ts';
import { storageErrors } from '../contracts/storage.ts';

const packages: Readonly<Record<string, string>> = { 'qemu-img': 'qemu-utils', 'qemu-nbd': 'qemu-utils' };
const setpriv = '/usr/bin/setpriv';

/** The command with which `tool` dies when this process dies, so that nothing writes to a disk that is thought idle. */
export function boundCommand(tool: string, args: readonly string[]): readonly [string, readonly string[]] {
  if (!existsSync(setpriv)) return [tool, args];
  return [setpriv, ['--pdeathsig', 'KILL', '--', tool, ...args]];
}
const ionice = '/usr/bin/ionice';
/** The same, for work that gives way to everybody else's. */
function idleCommand(tool: string, args: readonly string[]): readonly [string, readonly string[]] {
  return existsSync(ionice)
    ? boundCommand('nice', ['-n', '19', ionice, '-c', '3', tool, ...args])
    : boundCommand(tool, args);
}
export const toolEnvironment = (): Record<string, string> => ({
  PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`,
  LC_ALL: 'C',
});
/** `Tool_failed`, with the package to install when the tool is missing. */
export function toolFailed(tool: string, detail: string): Error {
  const missing = /ENOENT|failed to execute .*No such file/.test(detail);
  const reason = missing ? `it is not installed (apt install ${packages[tool] ?? tool})` : detail;
  return storageErrors.make('Tool_failed', { tool, reason });
}

/**
 * Answers what the tool printed on stdout. `onOutput` sees it as it comes. Fails with Tool_failed (its last words on
 * stderr), or Cancelled when `signal` aborted it; the tool is gone in any case.
 */
export function runTool(
  tool: string,
  args: readonly string[],
  options: { signal?: Call['signal']; onOutput?: (text: string) => void; idle?: boolean } = {},
): Promise<string> {
  const { signal, onOutput } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(storageErrors.make('Cancelled'));
    const [command, line] = options.idle ? idleCommand(tool, args) : boundCommand(tool, args);
    const child = spawn(command, line, { stdio: ['ignore', 'pipe', 'pipe'], env: toolEnvironment(), cwd: '/' });
    const kill = () => child.kill('SIGKILL');
    signal?.addEventListener('abort', kill, { once: true });
    let out = '';
    let words = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (onOutput) onOutput(text);
      else out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-2000);
    });
    child.on('error', (error) => reject(toolFailed(tool, error.message)));
    child.on('close', (code, how) => {
      signal?.removeEventListener('abort', kill);
      if (code === 0) resolve(out);
      else if (signal?.aborted) reject(storageErrors.make('Cancelled'));
      else reject(toolFailed(tool, words.trim() || `it ended with ${how ?? `status ${code}`}`));
    });
  });
}
