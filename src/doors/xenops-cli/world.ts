/** What commands work with, and how they print. */
import type { Ids } from '../../base/ids.ts';
import { UsageError } from './arguments.ts';
import type { Client } from './client.ts';

export interface World {
  readonly client: Client;
  readonly ids: Ids;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Answers as JSON instead of text. */
  readonly json: boolean;
  readonly readFile: (path: string) => string;
  readonly writeFile: (path: string, text: string) => void;
  /** Attaches this terminal to a socket until it ends, or Ctrl-] is typed. */
  readonly attach: (socket: string) => Promise<void>;
  /** Aborted by SIGINT: the running task is cancelled. */
  readonly interrupted: AbortSignal;
  /** Draws a bar; undefined when it is over. */
  readonly progress: (fraction: number | undefined) => void;
  readonly now: () => number;
  readonly zoneS: number;
}
export type Options = ReadonlyMap<string, string>;
export type Command = (w: World, args: readonly string[], options: Options) => Promise<void>;

/** Waits for a task with a progress bar. */
export async function finish(w: World, task: string): Promise<void> {
  try {
    await w.client.wait(task, { progress: w.progress, signal: w.interrupted });
  } finally {
    w.progress(undefined);
  }
}
/** Prints a value: as JSON, or the text that it stands for. */
export function show(w: World, value: unknown, text: () => string): void {
  w.out(w.json ? `${JSON.stringify(value)}\n` : text());
}
/** `VM.NAME`: the id of a device. */
export async function deviceId(w: World, text: string): Promise<readonly [string, string]> {
  const dot = text.lastIndexOf('.');
  if (dot < 1 || dot === text.length - 1)
    throw new UsageError(`"${text}" is no device: VM.NAME, such as myvm.hda or myvm.0`);
  const [vm] = await w.client.find(text.slice(0, dot));
  return [vm.id, text.slice(dot + 1)];
}
/** A number of seconds; null when the option is absent. */
export function secondsOf(options: Options, name: string): number | null {
  const text = options.get(name);
  if (text === undefined) return null;
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text)) throw new UsageError(`--${name}: "${text}" is no number of seconds`);
  return Number(text);
}
