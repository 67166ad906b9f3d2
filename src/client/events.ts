/** Following changes with `event.from`, and waiting for tasks. */
import type { Ref } from '../datamodel/dsl.ts';
import { ApiError } from '../datamodel/errors.ts';
import type { Rec } from '../datamodel/index.ts';
import type { Client } from './client.ts';

export interface ApiEvent {
  readonly id: string;
  readonly class: string;
  readonly operation: 'add' | 'mod' | 'del';
  readonly ref: string;
  /** Absent for `del`. */
  readonly snapshot?: Readonly<Record<string, unknown>>;
}
export interface EventBatch {
  readonly events: readonly ApiEvent[];
  /** Give it to the next call to go on from here. */
  readonly token: string;
}
export interface EventOptions {
  /** Where to go on; absent: every object comes as `add` first. */
  readonly token?: string;
  /** Seconds that one call may block, 30 by default. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** Batches of changes of `classes` (`VM`, `task/OpaqueRef:…`, `*`), without end; aborting the signal ends it quietly. */
export async function* events(
  client: Client,
  classes: readonly string[],
  { token = '', timeout = 30, signal }: EventOptions = {},
): AsyncGenerator<EventBatch> {
  let from = token;
  while (!signal?.aborted) {
    const answer = await untilAborted(client.$.call('event.from', { classes, token: from, timeout }, signal), signal);
    if (answer === undefined) return;
    const batch = answer as EventBatch;
    from = batch.token;
    yield batch;
  }
}

/** The promise's value, or `undefined` once the signal is aborted, whatever the promise does then. */
function untilAborted<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T | undefined> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => resolve(undefined);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    promise
      .then(resolve, (error: unknown) => (signal.aborted ? resolve(undefined) : reject(error)))
      .finally(() => signal.removeEventListener('abort', stop));
  });
}

export interface TaskOptions {
  /** Called with 0..1 whenever it changes. */
  readonly onProgress?: (fraction: number) => void;
  /** Aborting it cancels the task; the wait then ends as the task does. */
  readonly signal?: AbortSignal;
}

/**
 * Waits for the end of a task and answers its result as text (`OpaqueRef:…`, empty for void); the task stays.
 * Rejects with the task's own error; a cancelled one with `TASK_CANCELLED`.
 */
export async function taskEnd(client: Client, task: Ref<'task'>, options: TaskOptions = {}): Promise<string> {
  const { onProgress, signal } = options;
  const cancel = () => {
    // a task that cannot be cancelled goes on, and so does the wait for it
    client.task.cancel({ task }).catch(() => undefined);
  };
  if (signal?.aborted) cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    for await (const { events: batch } of events(client, [`task/${task}`])) {
      const last = batch.findLast((e) => e.ref === task);
      if (last?.operation === 'del') throw ApiError.of('HANDLE_INVALID', { class: 'task', handle: task });
      const state = last?.snapshot as Rec<'task'> | undefined;
      if (!state) continue;
      onProgress?.(state.progress);
      if (state.status === 'success') return taskResult(state.result);
      if (state.status === 'failure') throw ApiError.fromWire([...state.error_info]);
      if (state.status === 'cancelled') throw ApiError.of('TASK_CANCELLED', { task });
    }
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
  throw ApiError.of('INTERNAL_ERROR', { message: `the events of task ${task} ended` });
}

/** The text of a task's `result`, which is written as XML-RPC: `<value>OpaqueRef:…</value>`. */
export function taskResult(result: string): string {
  const inner = /^<value>(?:<string>)?([^<]*)(?:<\/string>)?<\/value>$/.exec(result.trim());
  return (inner?.[1] ?? result)
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');
}

/** `Async.` call, wait and removal of the task: what the message answers, as text. */
export async function runTask(
  client: Client,
  method: string,
  args: Readonly<Record<string, unknown>>,
  options?: TaskOptions,
): Promise<string> {
  const task = await client.$.start(method, args);
  try {
    return await taskEnd(client, task, options);
  } finally {
    // the task has ended; when it is gone already there is nothing left to remove
    await client.task.destroy({ self: task }).catch(() => undefined);
  }
}
