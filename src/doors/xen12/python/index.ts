/**
 * Reads a settings file of the Xen 1.2 tools: a script in (a part of) Python 2, carried out by an interpreter of our own that
 * reaches nothing of the host but what it is handed.
 */
import { stringModule } from './builtins.ts';
import { parseSettings } from './parse.ts';
import { Interpreter, placeOf } from './run.ts';
import { SettingsError } from './tokens.ts';
import { Module, Raised, Stream, type Value } from './values.ts';

export interface SettingsOptions {
  readonly file: string;
  readonly text: string;
  /** `-D` variables: strings. */
  readonly variables: Readonly<Record<string, string>>;
  /** Further modules (XenoUtil, Xc, socket, os, time). */
  readonly modules: readonly Module[];
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}
export interface Settings {
  /** What the file has set. */
  get(name: string): Value | undefined;
  /** Calls a function of the file, if it has it; what it prints goes to `out` and `err`. */
  call(name: string): void;
}
/** A mistake in the file, or its own refusal: `FILE:LINE:COLUMN: why`. `settings`: what was set until then. */
export class SettingsFailure extends Error {
  override readonly name = 'SettingsFailure';
  readonly settings: Settings | undefined;
  constructor(message: string, settings: Settings | undefined, options?: ErrorOptions) {
    super(message, options);
    this.settings = settings;
  }
}

/** Throws SettingsFailure. */
export function runSettings(options: SettingsOptions): Settings {
  const { file, out, err } = options;
  let settings: Settings | undefined;
  try {
    const block = parseSettings(options.text);
    const sys = new Module('sys', { stdout: new Stream(out), stderr: new Stream(err), argv: [file] });
    const modules = [sys, stringModule(), ...options.modules];
    const interpreter = new Interpreter({ variables: options.variables, modules, out });
    settings = {
      get: (name) => interpreter.names.get(name),
      call(name) {
        const f = interpreter.names.get(name);
        if (f !== undefined) guarded(file, settings, () => interpreter.call(f, []));
      },
    };
    interpreter.run(block);
    return settings;
  } catch (error) {
    throw failure(file, settings, error);
  }
}
function guarded(file: string, settings: Settings | undefined, f: () => void): void {
  try {
    f();
  } catch (error) {
    throw failure(file, settings, error);
  }
}
function failure(file: string, settings: Settings | undefined, error: unknown): unknown {
  const told = (at: { line: number; column: number }, why: string) =>
    new SettingsFailure(`${file}:${at.line}:${at.column}: ${why}`, settings, { cause: error });
  if (error instanceof SettingsError) return told(error, error.message);
  if (error instanceof Raised) return told(placeOf(error), error.message);
  if (error instanceof RangeError) return told({ line: 1, column: 1 }, 'this file is nested too deeply');
  return error;
}

export { Module, Raised, type Value } from './values.ts';
