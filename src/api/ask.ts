import type { Call } from '../contracts/contract.ts';
import type { Working } from './context.ts';
import { translateError } from './translate/errors.ts';

/** Asks a neighbour on behalf of a call: passes its task, cancellation and progress along, and words failures as the API does. */
export async function ask<T>(ctx: Working, f: (call: Call) => Promise<T>): Promise<T> {
  try {
    return await f({ label: ctx.task.ref, signal: ctx.task.signal, progress: (p) => ctx.task.progress(p) });
  } catch (error) {
    throw translateError(ctx.db, error, ctx.task.ref);
  }
}
