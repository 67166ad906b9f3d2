/**
 * Takes the snapshots that schedules ask for, when they are due. What was missed while the toolstack was down is not made up for: the
 * next one comes soon enough.
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Ref } from '../datamodel/dsl.ts';
import type { Db } from '../db/db.ts';
import { lastDue } from './schedule.ts';
import { fromWireTime } from './wire-time.ts';

export interface ScheduleParts {
  readonly db: Db;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes the snapshots of all VMs on the schedule. */
  take(schedule: Ref<'VMSS'>): Promise<unknown>;
}
/** How often is looked; schedules are by the quarter of an hour. Milliseconds. */
const everyMs = 30_000;

/** Looks after the schedules; the answer stops that. */
export function startSchedules({ db, clock, log, take }: ScheduleParts): () => void {
  const since = clock.now();
  const running = new Set<string>();
  let cancel: () => void = () => undefined;
  const run = async (ref: Ref<'VMSS'>) => {
    running.add(ref);
    try {
      await take(ref);
    } catch (error) {
      log.error('snapshots by a schedule failed', { schedule: ref, error: String(error) });
    } finally {
      running.delete(ref);
    }
  };
  const look = () => {
    const now = clock.now();
    for (const [ref, row] of db.rows('VMSS')) {
      if (!row.enabled || row.VMs.length === 0 || running.has(ref)) continue;
      if (lastDue(row, now) > Math.max(since, fromWireTime(row.last_run_time))) void run(ref);
    }
    cancel = clock.after(everyMs, look);
  };
  cancel = clock.after(everyMs, look);
  return () => cancel();
}
