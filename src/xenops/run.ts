/**
 * The interpreter of plans: the only place that knows about order, progress, deadlines, cancelling and undo.
 *
 * A step:   waiting ──▶ running ──▶ completed ──(a later step fails)──▶ undone
 *              │           ├──▶ failed      it left nothing behind: never undone
 *              │           └──▶ given up    its deadline passed: `abandoned` hears when it ends after all
 *              └──(cancelled, or a step failed)──▶ never run
 */
import type { Log } from '../base/log.ts';
import type { Call } from '../contracts/contract.ts';
import { xenopsErrors } from '../contracts/xenops.ts';
import { type Atomic, atomicOf, type Ground } from './atomics.ts';
import { within } from './deadline.ts';
import { type Plan, type Step, stepsOf } from './plan.ts';

export interface RunOptions {
  readonly vm: string;
  readonly log: Log;
  /** Aborting stops between steps, and inside those that can; the reason is what `run` rejects with. */
  readonly signal?: AbortSignal | undefined;
  /** Called with 0..1, growing. */
  readonly progress?: ((fraction: number) => void) | undefined;
  /** Runs a step that only waits; the caller may lend its worker to others meanwhile. */
  readonly idle?: (<T>(f: () => Promise<T>) => Promise<T>) | undefined;
  /** A step that was given up has ended after all: the world may hold more than the record says. */
  readonly abandoned?: ((step: string) => void) | undefined;
  /** For tests: called before each step; throwing makes the step fail. */
  readonly before?: ((step: Step) => void) | undefined;
  /** For tests: how often each step is done. */
  readonly times?: number | undefined;
}
export interface Outcome {
  /** How many best-effort steps failed: there is something to reconcile. */
  readonly ignored: number;
}

/** Carries a plan out. When a step fails: what runs beside it settles, what completed is undone newest first, and its error is thrown. */
export async function run(g: Ground, plan: Plan, o: RunOptions): Promise<Outcome> {
  const r = new Run(g, plan, o);
  try {
    await r.go(plan, false);
  } catch (error) {
    await r.unwind();
    throw error;
  }
  return { ignored: r.ignored };
}

interface Completed {
  readonly step: Step;
  readonly row: Atomic<unknown>;
}

class Run {
  ignored = 0;
  readonly #g: Ground;
  readonly #o: RunOptions;
  readonly #total: number;
  #done = 0;
  #reported = 0;
  #failed = false;
  #final = false;
  #completed: Completed[] = [];
  /** Progress inside the steps that run now. */
  readonly #parts = new Map<Step, number>();

  constructor(g: Ground, plan: Plan, o: RunOptions) {
    this.#g = g;
    this.#o = o;
    this.#total = o.progress ? stepsOf(plan).reduce((sum, step) => sum + atomicOf(step.op).weight, 0) : 0;
  }

  async go(plan: Plan, lenient: boolean): Promise<void> {
    if ('op' in plan) return lenient ? this.#tolerant(plan) : this.#step(plan, false);
    if ('seq' in plan) {
      for (const p of plan.seq) await this.go(p, lenient);
    } else if ('par' in plan) {
      await this.#all(plan.par, lenient);
    } else {
      await this.go(plan.bestEffort, true);
    }
  }

  /** Undoes what completed, newest first; all of it, even when one fails. */
  async unwind(): Promise<void> {
    for (const { step, row } of this.#completed.reverse()) {
      const undo = row.undo;
      if (!undo) continue;
      try {
        await this.#within(step, row, () => undo(this.#g, step.args));
      } catch (error) {
        this.#o.log.warn('a step could not be undone; left to reconciling', { step: step.op, error: String(error) });
      }
    }
    this.#completed = [];
  }

  async #all(plans: readonly Plan[], lenient: boolean): Promise<void> {
    if (plans.length === 1) return this.go(plans[0]!, lenient);
    const settled = await Promise.allSettled(plans.map((p) => this.go(p, lenient)));
    const errors = settled.flatMap((s) => (s.status === 'rejected' ? [s.reason] : []));
    if (errors.length > 0) throw errors.find((e) => !(e instanceof Skipped)) ?? errors[0];
  }

  async #tolerant(step: Step): Promise<void> {
    try {
      await this.#step(step, true);
    } catch (error) {
      this.ignored++;
      this.#o.log.warn('a best-effort step failed; left to reconciling', { step: step.op, error: String(error) });
    }
  }

  async #step(step: Step, lenient: boolean): Promise<void> {
    const { signal, before, times = 1, idle } = this.#o;
    const row = atomicOf(step.op);
    if (this.#failed) throw new Skipped();
    if (!this.#final) signal?.throwIfAborted();
    try {
      before?.(step);
      this.#o.log.debug('a step begins', { step: step.op });
      for (let n = 0; n < times; n++) {
        const work = () => this.#within(step, row, (call) => row.run(this.#g, step.args, call));
        await (row.waits && idle ? idle(work) : work());
      }
    } catch (error) {
      this.#failed ||= !lenient;
      throw !this.#final && signal?.aborted ? signal.reason : error;
    } finally {
      this.#parts.delete(step);
    }
    if (row.final) {
      this.#final = true;
      this.#completed = [];
    } else {
      this.#completed.push({ step, row });
    }
    this.#done += row.weight;
    this.#report();
  }

  /** Runs `f` until it ends or its deadline passes; then its signal is aborted and it is left to itself. */
  #within(step: Step, row: Atomic<unknown>, f: (call: Call) => Promise<unknown>): Promise<unknown> {
    const { vm, signal, progress } = this.#o;
    const seconds = typeof row.deadlineS === 'number' ? row.deadlineS : row.deadlineS(step.args);
    const stop = new AbortController();
    const cancel = () => stop.abort(signal?.reason);
    const listens = !this.#final && signal !== undefined;
    if (listens) signal.addEventListener('abort', cancel, { once: true });
    if (listens && signal.aborted) cancel();
    const part = progress ? (p: number) => this.#part(step, row, p) : undefined;
    const call: Call = part ? { signal: stop.signal, progress: part } : { signal: stop.signal };
    const late = () => {
      const error = xenopsErrors.make('Timed_out', { step: step.op, vm, seconds });
      stop.abort(error);
      return error;
    };
    const abandoned = () => this.#o.abandoned?.(step.op);
    return within(this.#g.clock, seconds * 1000, late, () => f(call), abandoned).finally(() => {
      if (listens) signal.removeEventListener('abort', cancel);
    });
  }

  #part(step: Step, row: Atomic<unknown>, fraction: number): void {
    this.#parts.set(step, row.weight * Math.min(1, Math.max(0, fraction)));
    this.#report();
  }
  #report(): void {
    const { progress } = this.#o;
    if (!progress || this.#total === 0) return;
    let sum = this.#done;
    for (const part of this.#parts.values()) sum += part;
    const fraction = Math.min(1, sum / this.#total);
    if (fraction <= this.#reported) return;
    this.#reported = fraction;
    progress(fraction);
  }
}

/** A step that was not begun because another failed; never seen outside, as the other's error comes first. */
class Skipped extends Error {
  override readonly name = 'Skipped';
}
