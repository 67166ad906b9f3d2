/**
 * Operations by number, for doors whose callers do not wait for an answer but ask for it later.
 *
 *     pending (0..1) ──▶ completed │ failed ──(destroyed, or asked to go when finished)──▶ gone
 *          └─ cancelled: its work is asked to stop; it fails, or is completed all the same
 */
import type { Clock } from '../base/clock.ts';
import type { Call } from '../contracts/contract.ts';
import { xenopsErrors } from '../contracts/xenops.ts';

export type TaskState =
  | { readonly state: 'pending'; readonly progress: number }
  | { readonly state: 'completed'; readonly durationS: number; readonly result: unknown }
  | { readonly state: 'failed'; readonly error: unknown };
export interface Task {
  readonly id: string;
  /** What the caller wants it to be called in logs. */
  readonly label: string;
  /** What it does: `VM.start`. */
  readonly operation: string;
  /** Seconds since the epoch. */
  readonly startedAt: number;
  /** How often it has looked whether it is cancelled: before it began, and whenever it told of its progress. */
  readonly cancelPoints: number;
  readonly state: TaskState;
}
interface Row {
  task: Task;
  readonly stop: AbortController;
  destroyOnFinish: boolean;
  /** The look at which it is cancelled, for those who try that out. */
  readonly cancelAt: number | undefined;
}
/** Finished tasks that nobody destroyed: the oldest go beyond this. */
const mostFinished = 10_000;
const mostTriggers = 100;

export class Tasks {
  readonly #rows = new Map<string, Row>();
  readonly #clock: Clock;
  /** Told of every change; `gone` when it was destroyed. */
  readonly #changed: (id: string, gone: boolean) => void;
  #next = 0;
  #finished = 0;
  readonly #triggers = new Map<string, number>();

  constructor(clock: Clock, changed: (id: string, gone: boolean) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }
  /** Starts the work, and answers its number. */
  run(label: string, operation: string, work: (call: Call) => Promise<unknown>): string {
    const id = String(this.#next++);
    const stop = new AbortController();
    const startedAt = this.#clock.now() / 1000;
    const task: Task = { id, label, operation, startedAt, cancelPoints: 0, state: { state: 'pending', progress: 0 } };
    const row: Row = { task, stop, destroyOnFinish: false, cancelAt: this.#triggers.get(label) };
    this.#triggers.delete(label);
    this.#rows.set(id, row);
    const progress = (fraction: number) => {
      this.#look(row);
      this.#progress(row, fraction);
    };
    this.#look(row);
    const durationS = () => Math.max(0, this.#clock.now() / 1000 - startedAt);
    work({ label: `${operation} ${label}`, signal: stop.signal, progress }).then(
      (result) => this.#finish(row, { state: 'completed', durationS: durationS(), result: result ?? null }),
      (error: unknown) => this.#finish(row, { state: 'failed', error }),
    );
    this.#changed(id, false);
    return id;
  }
  /** Does_not_exist. */
  stat(id: string): Task {
    return this.#row(id).task;
  }
  list(): Task[] {
    return [...this.#rows.values()].map(({ task }) => task);
  }
  /** Asks the work to stop; nothing happens to a finished one. Does_not_exist. */
  cancel(id: string): void {
    this.#row(id).stop.abort(xenopsErrors.make('Cancelled', { task: id }));
  }
  /** Forgets it; work that goes on is asked to stop first. Does_not_exist. */
  destroy(id: string): void {
    const row = this.#row(id);
    if (row.task.state.state === 'pending') this.cancel(id);
    else this.#finished--;
    this.#rows.delete(id);
    this.#changed(id, true);
  }
  /** Forgets it when it has finished. Does_not_exist. */
  destroyOnFinish(id: string): void {
    const row = this.#row(id);
    if (row.task.state.state === 'pending') row.destroyOnFinish = true;
    else this.destroy(id);
  }

  /**
   * For trying out what follows: the next task with this label is cancelled when it looks for the nth time (from 1). Bad_spec.
   */
  cancelAt(label: string, n: number): void {
    const reason = `${n} is not a number from 1 on`;
    if (!Number.isSafeInteger(n) || n < 1) throw xenopsErrors.make('Bad_spec', { key: 'set-cancel-trigger', reason });
    this.#triggers.set(label, n);
    const oldest = this.#triggers.size > mostTriggers ? this.#triggers.keys().next().value : undefined;
    if (oldest !== undefined) this.#triggers.delete(oldest);
  }
  #look(row: Row): void {
    const cancelPoints = row.task.cancelPoints + 1;
    row.task = { ...row.task, cancelPoints };
    if (cancelPoints === row.cancelAt) row.stop.abort(xenopsErrors.make('Cancelled', { task: row.task.id }));
  }
  #row(id: string): Row {
    const row = this.#rows.get(id);
    if (!row) throw xenopsErrors.make('Does_not_exist', { what: 'Task', id });
    return row;
  }
  #progress(row: Row, fraction: number): void {
    const { state } = row.task;
    if (state.state !== 'pending') return;
    const progress = Math.min(1, Math.max(state.progress, fraction));
    // Watchers need not hear of every byte.
    if (progress - state.progress < 0.01) return;
    row.task = { ...row.task, state: { state: 'pending', progress } };
    if (this.#rows.has(row.task.id)) this.#changed(row.task.id, false);
  }
  #finish(row: Row, state: TaskState): void {
    const { id } = row.task;
    row.task = { ...row.task, state };
    if (!this.#rows.has(id)) return;
    this.#finished++;
    if (row.destroyOnFinish) {
      this.destroy(id);
      return;
    }
    this.#changed(id, false);
    if (this.#finished > mostFinished) this.#dropOldest();
  }
  #dropOldest(): void {
    const oldest = this.list().find(({ state }) => state.state !== 'pending');
    if (oldest) this.destroy(oldest.id);
  }
}
