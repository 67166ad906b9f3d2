/**
 * Guests that end by themselves.
 *
 *     ended ──▶ somebody waits for it (clean shutdown, reboot) ──▶ that operation goes on
 *       └─────▶ queued ──▶ destroy ──▶ Halted
 *                     ├──▶ restart ──(delay; any call on the VM ends it)──▶ Running, or Halted when that call is to end the VM
 *                     └──▶ preserve ──▶ Paused
 */
import type { Call } from '../contracts/contract.ts';
import { xenopsErrors } from '../contracts/xenops.ts';
import type { BackendEvent, DomainEnd } from './backend.ts';
import { type Core, nowS } from './core.ts';
import { type EndAction, endAction } from './end-action.ts';
import { ended, rebootNow, startNow } from './lifecycle.ts';
import { inTurn, type Operation, observe } from './operation.ts';
import { shutdownPlan } from './plans/shutdown.ts';
import { runOf } from './record.ts';

/** A guest that is asked to end and does not is asked again after this: a request before its driver is loaded is lost. */
const askAgainMs = 5_000;

/** An end that is queued or being dealt with. */
interface Pending {
  /** Aborted by a call on the VM: `go` restarts without delay, `stop` does not restart. */
  readonly said: AbortController;
  /** The restart was brought forward, and is as good as one that was asked for. */
  restarted: boolean;
}

export class Ends {
  readonly #core: Core;
  readonly #waiting = new Map<string, (end: DomainEnd) => void>();
  /** How guests ended that somebody waited for. */
  readonly #seen = new Map<string, DomainEnd>();
  readonly #pending = new Map<string, Set<Pending>>();

  constructor(core: Core) {
    this.#core = core;
  }
  /** From the backend. */
  heard(event: BackendEvent & { event: 'ended' }): void {
    const waiting = this.#waiting.get(event.vm);
    if (waiting) waiting(event.end);
    else this.enqueue(event.vm, event.end);
  }
  /** Deals with a guest that has ended, in its VM's turn. */
  enqueue(vm: string, end?: DomainEnd): void {
    if (!this.#core.records.has(vm)) return;
    const pending: Pending = { said: new AbortController(), restarted: false };
    const ofVm = this.#pending.get(vm) ?? new Set();
    this.#pending.set(vm, ofVm.add(pending));
    inTurn(this.#core, vm, 'end of guest', undefined, (op) => this.#handle(op, end, pending))
      .catch((error: unknown) => {
        this.#core.log.warn('the end of a guest could not be dealt with', { vm, error: String(error) });
      })
      .finally(() => {
        ofVm.delete(pending);
        if (ofVm.size === 0 && this.#pending.get(vm) === ofVm) this.#pending.delete(vm);
      });
  }
  /** Waits until the guest, which was asked, has ended; it is asked again meanwhile. Failed_to_shutdown after the timeout. */
  async awaitEnd(vm: string, what: 'poweroff' | 'reboot', timeoutS: number, call: Call): Promise<void> {
    const { clock, backend } = this.#core;
    const end = await new Promise<DomainEnd>((resolve, reject) => {
      const cleanUp = () => {
        cancel();
        cancelAgain();
        call.signal?.removeEventListener('abort', stop);
        this.#waiting.delete(vm);
      };
      const stop = () => {
        cleanUp();
        reject(call.signal?.reason);
      };
      const finish = (end: DomainEnd) => {
        cleanUp();
        resolve(end);
      };
      const cancel = clock.after(timeoutS * 1000, () => {
        cleanUp();
        reject(xenopsErrors.make('Failed_to_shutdown', { vm, timeoutS }));
      });
      const askAgain = () => {
        cancelAgain = clock.after(askAgainMs, askAgain);
        backend.vm
          .requestShutdown(vm, what)
          .catch((error: unknown) => this.#core.log.debug('asking a guest again', { vm, error: String(error) }));
      };
      let cancelAgain = clock.after(askAgainMs, askAgain);
      if (call.signal?.aborted) return stop();
      call.signal?.addEventListener('abort', stop, { once: true });
      this.#waiting.set(vm, finish);
      // It may have ended before anybody listened.
      backend.vm.observe(vm).then(
        (seen) => {
          if (this.#waiting.get(vm) !== finish) return;
          if (!seen) finish({ reason: 'killed', detail: 'the domain is gone' });
          else if (seen.power === 'ended') finish(seen.end ?? { reason: 'poweroff', detail: '' });
        },
        (error: unknown) => this.#core.log.debug('waiting for the end of a guest', { vm, error: String(error) }),
      );
    });
    this.#seen.set(vm, end);
  }
  /** How the guest ended that was waited for; forgotten afterwards. */
  take(vm: string): DomainEnd | undefined {
    const end = this.#seen.get(vm);
    this.#seen.delete(vm);
    return end;
  }
  /**
   * A call on the VM ends the delay before a restart: `go` restarts at once, `stop` leaves the VM Halted. The answer tells,
   * in the VM's next turn, whether a restart was brought forward.
   */
  interrupt(vm: string, how: 'go' | 'stop'): () => boolean {
    const pending = [...(this.#pending.get(vm) ?? [])];
    for (const { said } of pending) said.abort(how);
    return () => pending.some((p) => p.restarted);
  }

  async #handle(op: Operation, heard: DomainEnd | undefined, pending: Pending): Promise<void> {
    const { record } = op;
    if (!record.run || record.run.preserved) return;
    // From here on a failure means that something is left to be done.
    op.touched = true;
    const seen = await observe(this.#core, record.id);
    if (seen && seen.power !== 'ended') return;
    const end = seen?.end ?? heard ?? { reason: 'killed', detail: 'the domain is gone' };
    const ranS = nowS(this.#core) - record.run.startedAt;
    const todo = endAction(record.spec, end, ranS, this.#core.limits);
    const because = todo.action === 'destroy' && todo.because ? `; ${todo.because}` : '';
    record.lastEnd = { reason: end.reason, detail: `${end.detail}${because}`, at: nowS(this.#core) };
    this.#core.log.info('a guest ended', { vm: record.id, ...end, ranS, todo: todo.action });
    await this.#act(op, todo, pending);
  }
  async #act(op: Operation, todo: EndAction, pending: Pending): Promise<void> {
    const { record } = op;
    op.changed = true;
    if (todo.action === 'preserve') {
      record.run = { ...runOf(record), preserved: true };
    } else if (todo.action === 'destroy') {
      await op.run(shutdownPlan(runOf(record).spec, { timeoutS: null }));
      ended(op, null);
    } else if (todo.delayS === 0) {
      await this.#restart(op);
    } else {
      await this.#restartLater(op, todo.delayS, pending);
    }
  }
  /** A restart that is refused before anything was touched (no memory for a greater description) leaves the VM Halted. */
  async #restart(op: Operation): Promise<void> {
    const { record } = op;
    try {
      await rebootNow(this.#core, op, null);
    } catch (error) {
      if (record.operation === 'reboot') throw error;
      const why = error instanceof Error ? error.message : String(error);
      this.#core.log.warn('a guest could not be started again', { vm: record.id, error: why });
      if (record.lastEnd) {
        record.lastEnd = { ...record.lastEnd, detail: `${record.lastEnd.detail}; not started again: ${why}` };
      }
      await op.run(shutdownPlan(runOf(record).spec, { timeoutS: null }));
      ended(op, null);
    }
  }
  /** The domain goes at once; the mark makes sure that the restart is not forgotten when the toolstack restarts meanwhile. */
  async #restartLater(op: Operation, delayS: number, pending: Pending): Promise<void> {
    const { turn } = op;
    const { signal } = pending.said;
    await op.mark('reboot');
    await op.run(shutdownPlan(runOf(op.record).spec, { timeoutS: null }));
    const over = AbortSignal.any([signal, turn.signal]);
    try {
      await turn.idle(() => this.#core.clock.sleep(delayS * 1000, over));
    } catch (error) {
      if (!signal.aborted) {
        // The toolstack closes: the mark stays, and the next one restarts the guest.
        op.touched = false;
        throw error;
      }
    }
    if (signal.reason === 'stop') return ended(op, null);
    pending.restarted = signal.aborted;
    await startNow(this.#core, op, false);
  }
}
