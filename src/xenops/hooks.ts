/**
 * Programs of the host's owner that run around operations: every executable of `DIR/NAME/`, in the order of their names, with
 * `-vmuuid U -reason R [-vmdomid N]`. Exit 0: fine; 1: told in the log; anything else: the operation is refused (Hook_failed)
 * before it has touched anything, or, for those that run afterwards, told in the log.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import { xenopsErrors } from '../contracts/xenops.ts';

export type HookName =
  | 'vm-pre-start'
  | 'vm-pre-shutdown'
  | 'vm-post-destroy'
  | 'vm-pre-reboot'
  | 'vm-pre-suspend'
  | 'vm-pre-resume'
  | 'vm-post-resume';
export type HookReason = 'none' | 'clean-shutdown' | 'hard-shutdown' | 'clean-reboot' | 'hard-reboot' | 'suspend';
export interface HookEvent {
  readonly name: HookName;
  readonly vm: string;
  readonly reason: HookReason;
  readonly domid?: number;
}
export interface Hooks {
  /** Hook_failed; rejects with the signal's reason when aborted. */
  run(event: HookEvent, signal: AbortSignal): Promise<void>;
}
/** Of what a hook prints, so much is kept. */
const longestOutput = 16_384;

/** Those in a folder, usually `/etc/xapi.d`. A folder that is not there has none. */
export function folderHooks(dir: string, log: Log): Hooks {
  return {
    async run(event, signal) {
      const { name, vm, reason, domid } = event;
      const args = ['-vmuuid', vm, '-reason', reason, ...(domid === undefined ? [] : ['-vmdomid', String(domid)])];
      for (const program of programsOf(join(dir, name))) {
        signal.throwIfAborted();
        const { status, output } = await runProgram(program, args, signal);
        signal.throwIfAborted();
        if (status === '0') continue;
        if (status !== '1')
          throw xenopsErrors.make('Hook_failed', { hook: `${name}/${program}`, reason, output, status });
        log.warn('a hook ended with 1: going on', { hook: program, vm, output });
      }
    },
  };
}
function programsOf(folder: string): string[] {
  // As on most hosts; an error made for each would cost more than the question.
  if (!existsSync(folder)) return [];
  const names = readable(() => readdirSync(folder)) ?? [];
  return names
    .sort()
    .map((name) => join(folder, name))
    .filter((path) => readable(() => accessSync(path, constants.X_OK) ?? true) === true);
}
/** Undefined for what is not there or may not be run. */
function readable<T>(f: () => T): T | undefined {
  try {
    return f();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(code)) return undefined;
    throw error;
  }
}
function runProgram(program: string, args: readonly string[], signal: AbortSignal) {
  return new Promise<{ status: string; output: string }>((resolve) => {
    let output = '';
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], signal, cwd: '/' });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(0, longestOutput);
    });
    child.once('error', (error) => resolve({ status: error.message, output }));
    child.once('close', (code, by) => resolve({ status: String(code ?? by), output }));
  });
}
