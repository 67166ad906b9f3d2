import type { Log } from './log.ts';

/** Runs `f`; a failure is logged with `why` it may be ignored, and `undefined` comes back. */
export async function bestEffort<T>(why: string, log: Log, f: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await f();
  } catch (error) {
    log.warn(`ignored: ${why}`, { error: String(error) });
    return undefined;
  }
}
