/**
 * Alerts (class `message`) of what happened to a VM, whichever door or guest did it: made from what the domain manager reports, beside
 * the change of the records. Names and priorities: `reference` alert names `VM_*`.
 */
import { isDeepStrictEqual } from 'node:util';
import type { VmEntry } from '../contracts/xenops.ts';
import type { Rec } from '../datamodel/index.ts';
import { wireTime } from './wire-time.ts';

type State = VmEntry['state'];
/** What the records said before the report. */
export interface Before {
  readonly power: Rec<'VM'>['power_state'];
  readonly domid: number;
  /** `VM_metrics.start_time`. */
  readonly startTime: string;
  /** Undefined when nothing was heard of the VM since this program was started. */
  readonly lastEnd: State['lastEnd'] | undefined;
  /** Values of `current_operations`. */
  readonly operations: readonly string[];
}
export interface VmAlert {
  readonly name: string;
  /** What happened, as the end of a sentence that begins with the VM. */
  readonly text: string;
}

const live = (power: string): boolean => power === 'Running' || power === 'Paused';
const unasked: ReadonlySet<string> = new Set(['crash', 'killed', 'hung']);

/** Undefined when nothing happened that anybody is to be told of. */
export function alertOf(before: Before, state: State): VmAlert | undefined {
  const { power, lastEnd } = state;
  if (live(before.power) && power === 'Halted') return ended(lastEnd, 'VM_SHUTDOWN', 'was shut down');
  if (live(before.power) && power === 'Suspended') return { name: 'VM_SUSPENDED', text: 'was suspended' };
  if (!live(power)) return undefined;
  if (before.power === 'Halted') return { name: 'VM_STARTED', text: 'was started' };
  if (before.power === 'Suspended') return { name: 'VM_RESUMED', text: 'was resumed' };
  if (before.domid !== state.domid) {
    // One that moved has another domain too, but it did not end.
    const anew =
      before.startTime !== wireTime(state.startedAt * 1000) ||
      (before.lastEnd !== undefined && !isDeepStrictEqual(before.lastEnd, lastEnd));
    return anew ? ended(lastEnd, 'VM_REBOOTED', 'was rebooted') : undefined;
  }
  // A start, a checkpoint and others stop the guest for a moment, which is a part of them.
  if (before.power === power || before.operations.some((op) => op !== 'pause' && op !== 'unpause')) return undefined;
  return power === 'Paused'
    ? { name: 'VM_PAUSED', text: 'was paused' }
    : { name: 'VM_UNPAUSED', text: 'goes on after a pause' };
}
function ended(end: State['lastEnd'], name: string, text: string): VmAlert {
  if (!end) return { name, text };
  return unasked.has(end.reason)
    ? { name: 'VM_CRASHED', text: `ended by itself (${end.reason}): ${end.detail}` }
    : { name, text: `${text}: ${end.detail}` };
}
