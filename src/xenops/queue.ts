/**
 * One line per VM, a bounded number of workers over all lines.
 *
 *     push ──▶ in the VM's line ──▶ waits for a worker ──▶ runs ──▶ ended
 *                     └──── cancelled: rejected at once, never run
 */

import type { Call } from '../contracts/contract.ts';
import { xenopsErrors } from '../contracts/xenops.ts';
import { Lines } from './lines.ts';
import { Workers } from './workers.ts';

/** What a piece of work gets. */
export interface Turn {
  /** Aborted when the caller cancels or the domain manager closes; the reason is the error to end with. */
  readonly signal: AbortSignal;
  /** Runs something that only waits, while the worker serves others. */
  idle<T>(f: () => Promise<T>): Promise<T>;
}

export class VmQueue {
  readonly #lines = new Lines();
  readonly #workers: Workers;
  readonly #running = new Set<{ vm: string; name: string; stop: AbortController }>();
  /** How many pieces of work each VM has, waiting or running. */
  readonly #load = new Map<string, number>();
  #closed = false;

  constructor(workers: number) {
    this.#workers = new Workers(workers);
  }

  /** Runs `work` after all earlier work of the VM. Cancelled; Interrupted when the domain manager closes. */
  push<T>(vm: string, name: string, call: Call | undefined, work: (turn: Turn) => Promise<T>): Promise<T> {
    const signal = call?.signal;
    const cancelled = () => xenopsErrors.make('Cancelled', { task: call?.label ?? `${name} of ${vm}` });
    if (this.#closed) return Promise.reject(interrupted(name, vm));
    if (signal?.aborted) return Promise.reject(cancelled());
    this.#load.set(vm, (this.#load.get(vm) ?? 0) + 1);
    return new Promise<T>((resolve, reject) => {
      const stop = new AbortController();
      const item = { vm, name, stop };
      this.#running.add(item);
      let begun = false;
      const cancel = () => stop.abort(cancelled());
      const drop = () => {
        if (!begun) reject(stop.signal.reason);
      };
      signal?.addEventListener('abort', cancel, { once: true });
      stop.signal.addEventListener('abort', drop, { once: true });
      void this.#lines.push(vm, async () => {
        try {
          if (stop.signal.aborted) return;
          await this.#workers.acquire();
          try {
            if (stop.signal.aborted) return;
            begun = true;
            resolve(await work({ signal: stop.signal, idle: (f) => this.#workers.lend(f) }));
          } finally {
            this.#workers.release();
          }
        } catch (error) {
          reject(error);
        } finally {
          signal?.removeEventListener('abort', cancel);
          this.#running.delete(item);
          this.#left(vm);
        }
      });
    });
  }
  /** Resolves when all work of the VM (or of every VM) that was pushed before has ended. */
  async barrier(vm?: string): Promise<void> {
    const busy = vm === undefined ? [...this.#load.keys()] : [vm];
    await Promise.all(busy.map((id) => this.#lines.push(id, async () => undefined)));
  }
  /** Interrupted once the domain manager closes: for what takes no turn. */
  assertOpen(name: string, vm: string): void {
    if (this.#closed) throw interrupted(name, vm);
  }
  /** How many pieces of work may run at once from now on. */
  resize(workers: number): void {
    this.#workers.resize(workers);
  }
  /** Whether the VM has work, beside `own` pieces. */
  busy(vm: string, own = 0): boolean {
    return (this.#load.get(vm) ?? 0) > own;
  }
  /** Cancels work of the VM that has one of these names, waiting or running: something stronger was asked for. */
  supersede(vm: string, names: readonly string[]): void {
    for (const item of this.#running) {
      if (item.vm === vm && names.includes(item.name))
        item.stop.abort(xenopsErrors.make('Cancelled', { task: `${item.name} of ${vm}` }));
    }
  }
  /** Stops all work, and waits until it has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { vm, name, stop } of this.#running) stop.abort(interrupted(name, vm));
    await this.barrier();
  }

  #left(vm: string): void {
    const left = (this.#load.get(vm) ?? 1) - 1;
    if (left === 0) this.#load.delete(vm);
    else this.#load.set(vm, left);
  }
}

function interrupted(operation: string, vm: string) {
  return xenopsErrors.make('Interrupted', { operation, vm });
}
