/**
 * Tasks.
 *
 *   pending ──cancel──▶ cancelling
 *      │                    │
 *      ├──▶ success ◀───────┤   (too late to stop)
 *      ├──▶ failure ◀───────┤
 *      └──▶ cancelled ◀─────┘   TASK_CANCELLED
 *
 * Asynchronous calls and HTTP transfers have a row; synchronous calls have a `DummyRef:` and cost nothing. A restart ends
 * unfinished ones as failed (see `reviveTasks`).
 */
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import { never, nullRef, type Ref } from '../datamodel/dsl.ts';
import { ApiError, fail, toApiError } from '../datamodel/errors.ts';
import type { Rec } from '../datamodel/index.ts';
import type { Db } from '../db/db.ts';
import type { TaskHandle } from './context.ts';
import { timeOf, timeText } from './decode.ts';

/** Milliseconds between two writes of progress. */
const progressEvery = 250;
const keepFinishedMs = 65 * 60_000;
const keepSilentMs = 24 * 3600_000;
const targetCount = 200;

export interface TaskParts {
  readonly db: Db;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly host: Ref<'host'>;
}
interface Live {
  readonly handle: TaskHandle;
  readonly controller: AbortController;
  /** When something was last heard of it. */
  heard: number;
  written: number;
  /** The progress that waits to be written, and its timer. */
  pending?: { fraction: number; readonly cancel: () => void } | undefined;
  /** `task.destroy` came while it ran. */
  doomed: boolean;
}
export interface NewTask {
  readonly label: string;
  readonly description?: string;
  readonly session: string;
  readonly subtaskOf?: string;
}

const finished = (t: Rec<'task'>): boolean => t.status !== 'pending' && t.status !== 'cancelling';

export class Tasks {
  readonly #parts: TaskParts;
  readonly #live = new Map<string, Live>();
  readonly #closing = new AbortController();

  constructor(parts: TaskParts) {
    this.#parts = parts;
  }
  /** The task of a synchronous call: no row, no cancel. */
  dummy(label: string): TaskHandle {
    const ref = `DummyRef:|${this.#parts.ids.uuid()}|${label}`;
    return { ref, signal: this.#closing.signal, progress: () => undefined, cancellable: () => undefined };
  }
  /** Makes a pending row. */
  create(t: NewTask): Ref<'task'> {
    const { db, clock, host } = this.#parts;
    return db.create('task', {
      name_label: t.label,
      name_description: t.description ?? '',
      created: timeText(clock.now()),
      finished: never,
      status: 'pending',
      session: t.session,
      resident_on: host,
      progress: 0,
      externalpid: -1,
      stunnelpid: -1,
      forwarded_to: nullRef,
      subtask_of: t.subtaskOf ?? nullRef,
    });
  }
  /**
   * Runs `work` as the task: ends the row as the work ends, and settles with it. `result` makes the text of the result.
   * A task that was cancelled before it began fails with TASK_CANCELLED.
   */
  async run<T>(ref: string, work: (task: TaskHandle) => Promise<T>, result: (value: T) => string): Promise<T> {
    const live = this.#adopt(ref);
    try {
      live.controller.signal.throwIfAborted();
      const value = await work(live.handle);
      await this.#parts.db.durable();
      this.#end(ref, { status: 'success', result: result(value) });
      return value;
    } catch (error) {
      const { wire } = toApiError(error);
      const status = wire[0] === 'TASK_CANCELLED' ? 'cancelled' : 'failure';
      this.#end(ref, { status, error_info: [...wire] });
      throw error;
    } finally {
      live.pending?.cancel();
      this.#live.delete(ref);
      if (live.doomed) this.#parts.db.destroy('task', ref);
    }
  }
  #adopt(ref: string): Live {
    const { db, clock } = this.#parts;
    const row = db.get('task', ref);
    if (finished(row)) throw fail('OPERATION_NOT_ALLOWED', { reason: `the task ${ref} has ended: ${row.status}` });
    if (this.#live.has(ref))
      throw fail('OPERATION_NOT_ALLOWED', { reason: `the task ${ref} belongs to another operation` });
    const controller = new AbortController();
    const handle: TaskHandle = {
      ref,
      signal: controller.signal,
      progress: (fraction) => this.#progress(ref, fraction),
      cancellable: () => {
        if (!finished(db.get('task', ref))) db.set('task', ref, { allowed_operations: ['cancel'] });
      },
    };
    const live: Live = { handle, controller, heard: clock.now(), written: 0, doomed: false };
    this.#live.set(ref, live);
    return live;
  }
  #progress(ref: string, fraction: number): void {
    const live = this.#live.get(ref);
    const now = this.#parts.clock.now();
    if (!live || !Number.isFinite(fraction)) return;
    live.heard = now;
    const due = live.written + progressEvery - now;
    if (due <= 0) this.#writeProgress(ref, live, fraction);
    else if (live.pending) live.pending.fraction = fraction;
    // the last word of a burst is written too: what stalls shows how far it came
    else live.pending = { fraction, cancel: this.#parts.clock.after(due, () => this.#flushProgress(ref, live)) };
  }
  #flushProgress(ref: string, live: Live): void {
    const fraction = live.pending?.fraction;
    live.pending = undefined;
    if (fraction !== undefined && this.#live.get(ref) === live) this.#writeProgress(ref, live, fraction);
  }
  #writeProgress(ref: string, live: Live, fraction: number): void {
    if (!this.#parts.db.has('task', ref)) return;
    live.written = this.#parts.clock.now();
    this.#parts.db.set('task', ref, { progress: Math.min(1, Math.max(0, fraction)) });
  }
  #end(ref: string, patch: Partial<Rec<'task'>>): void {
    const { db, clock } = this.#parts;
    if (!db.has('task', ref)) return;
    const end = { progress: 1, finished: timeText(clock.now()), allowed_operations: [], current_operations: {} };
    db.set('task', ref, { ...end, ...patch });
  }
  /** Ends a row that nothing runs, as a client says: `task.set_status`. */
  setStatus(ref: string, status: Rec<'task'>['status']): void {
    if (status === 'pending' || status === 'cancelling') this.#parts.db.set('task', ref, { status });
    else this.#end(ref, { status });
  }
  runs(ref: string): boolean {
    return this.#live.has(ref);
  }
  /** Asks the task to stop. OPERATION_NOT_ALLOWED unless it can. `by` is the task that asks. */
  cancel(ref: string, by: string): void {
    const { db } = this.#parts;
    const row = db.get('task', ref);
    if (row.status === 'cancelling') return;
    if (finished(row) || !row.allowed_operations.includes('cancel'))
      throw fail('OPERATION_NOT_ALLOWED', {
        reason: finished(row) ? `the task has ended: ${row.status}` : 'the task cannot be cancelled at this point',
      });
    const current_operations = { ...row.current_operations, [by]: 'cancel' as const };
    db.set('task', ref, { status: 'cancelling', current_operations });
    this.#live.get(ref)?.controller.abort(fail('TASK_CANCELLED', { task: ref }));
  }
  /** Deletes the row; of a running task when it ends. */
  destroy(ref: string): void {
    const { db } = this.#parts;
    db.get('task', ref);
    const live = this.#live.get(ref);
    if (live) live.doomed = true;
    else db.destroy('task', ref);
  }
  /** Drops what ended 65 minutes ago, or was not heard of for a day, and the oldest of too many. */
  expire(): void {
    const { db, clock } = this.#parts;
    const now = clock.now();
    const done: [at: number, ref: string][] = [];
    db.write((w) => {
      for (const [ref, t] of [...db.rows('task')]) {
        if (this.#live.has(ref)) continue;
        if (finished(t)) {
          const at = timeOf(t.finished);
          if (now - at >= keepFinishedMs) w.destroy('task', ref);
          else done.push([at, ref]);
        } else if (now - timeOf(t.created) >= keepSilentMs) w.destroy('task', ref);
      }
      const over = db.count('task') - targetCount;
      done.sort((a, b) => a[0] - b[0]);
      for (const [at, ref] of done.slice(0, Math.max(0, over))) if (now - at >= 60_000) w.destroy('task', ref);
    });
  }
  /** Ends everything that runs, as the server stops. */
  close(): void {
    const reason = ApiError.fromWire(interrupted);
    this.#closing.abort(reason);
    for (const live of this.#live.values()) live.controller.abort(reason);
  }
}

const interrupted = [
  'INTERNAL_ERROR',
  'the toolstack was restarted while this task ran: see what state its object is in, then try again',
];

/**
 * Ends what a restart interrupted: nothing works on it any more, a client's own task included, for its session is gone. Progress
 * is not stored.
 */
export function reviveTasks(db: Db, now: number): void {
  db.write((w) => {
    for (const [ref, t] of [...db.rows('task')]) {
      if (finished(t)) w.set('task', ref, { progress: 1 });
      else
        w.set('task', ref, { status: 'failure', progress: 1, finished: timeText(now), error_info: [...interrupted] });
    }
  });
}
