/** What a test makes go wrong, verb by verb. */
import type { DomainEnd } from '../../backend.ts';

export type Fault =
  /** The verb fails and has done nothing. */
  | { readonly fault: 'fail'; readonly error?: Error }
  /** The verb does its work after a delay. */
  | { readonly fault: 'delay'; readonly ms: number }
  /** The verb neither does its work nor answers. */
  | { readonly fault: 'hang' }
  /** The guest ends first, then the verb does what it can. */
  | { readonly fault: 'end'; readonly end: DomainEnd };
/** Asked before each verb (`vm.create`, `vbd.attach` …); undefined: nothing goes wrong. */
export type Faults = (verb: string, vm: string) => Fault | undefined;

export const noFaults: Faults = () => undefined;

/** Faults that are set one by one: `faults.set('vm.build', { fault: 'fail' }, 1)`. */
export class FaultList {
  readonly #rows: { readonly verb: string; readonly fault: Fault; left: number; skip: number }[] = [];

  /** `times`: how often; `skip`: how many calls are left alone before. */
  set(verb: string, fault: Fault, times = Number.POSITIVE_INFINITY, skip = 0): void {
    this.#rows.push({ verb, fault, left: times, skip });
  }
  clear(): void {
    this.#rows.length = 0;
  }
  /** Hears of every verb. */
  listen: (verb: string, vm: string) => void = () => undefined;
  readonly faults: Faults = (verb, vm) => {
    this.listen(verb, vm);
    const row = this.#rows.find((r) => r.verb === verb && r.left > 0);
    if (!row) return undefined;
    if (row.skip > 0) {
      row.skip--;
      return undefined;
    }
    row.left--;
    return row.fault;
  };
}

/** A small repeatable random generator: the same seed gives the same numbers in 0..1. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
