/** Programs of other people that the tests run as they are. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Ended {
  readonly code: number | null;
  readonly out: Buffer;
  readonly err: string;
}
export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
}

/** Why a test cannot run here, naming the Debian packages to install; false when it can. A need is a program or an absolute path. */
export function without(needs: Readonly<Record<string, string>>): string | false {
  const missing = Object.entries(needs).filter(([, need]) => !isThere(need));
  if (missing.length === 0) return false;
  return `not installed: ${missing.map(([name]) => name).join(', ')} (Debian packages; scripts/setup --test brings them)`;
}
function isThere(need: string): boolean {
  if (need.startsWith('/')) return existsSync(need);
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, need)));
}

/** Runs a program to its end. The answer is there whatever its status; a program that cannot start is an error. */
export function run(program: string, args: readonly string[], o: RunOptions = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: o.cwd, env: { ...process.env, ...o.env }, stdio: 'pipe' });
    const out: Buffer[] = [];
    let err = '';
    child.stdout.on('data', (piece: Buffer) => out.push(piece));
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      err += piece;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out: Buffer.concat(out), err }));
    child.stdin.on('error', () => undefined); // one that does not read its input
    child.stdin.end(o.input ?? '');
  });
}
