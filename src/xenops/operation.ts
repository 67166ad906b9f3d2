/**
 * One operation on one VM, from call to answer:
 *
 *     queued ──▶ reconciled, if something was left over ──▶ body (guard, plan) ──▶ looked at ──▶ told ──▶ answered
 *                             │                               └─ failed ──▶ reconciled ──▶ looked at ──▶ told ──▶ refused
 *                             └─ an earlier operation's mark is still there: refused, unless all is to be thrown away
 */
import type { Call } from '../contracts/contract.ts';
import { xenopsErrors } from '../contracts/xenops.ts';
import type { Core } from './core.ts';
import { within } from './deadline.ts';
import type { Plan } from './plan.ts';
import type { Turn } from './queue.ts';
import { type Leaving, type Marked, placeOf, type Run, type VmRecord } from './record.ts';
import { run } from './run.ts';
import { powerOf } from './state.ts';

/** How long a look at a domain may take. */
const lookMs = 30_000;

export class Operation {
  readonly record: VmRecord;
  readonly turn: Turn;
  /** Set by what changes the row: it is written when the operation ends. */
  changed = false;
  /** The world or the row may have been changed: a failure is followed by reconciling. */
  touched = false;
  /** Nothing changed: nobody is told. */
  quiet = false;
  readonly #core: Core;
  readonly #call: Call | undefined;

  constructor(core: Core, record: VmRecord, turn: Turn, call: Call | undefined) {
    this.#core = core;
    this.record = record;
    this.turn = turn;
    this.#call = call;
  }
  /** Leaves a durable mark before the world is touched. */
  async mark(operation: Marked, run?: Run): Promise<void> {
    this.changed = true;
    this.touched = true;
    this.record.operation = operation;
    if (run) this.record.run = run;
    await this.#core.records.note(this.record);
    this.turn.signal.throwIfAborted();
  }
  async run(plan: Plan): Promise<void> {
    this.touched = true;
    const { id } = this.record;
    const { ignored } = await run(this.#core.ground, plan, {
      vm: id,
      log: this.#core.log,
      signal: this.turn.signal,
      progress: this.#call?.progress,
      idle: this.turn.idle,
      abandoned: (step) => this.#core.reconciler.later(id, `${step} ended after it was given up`),
      ...this.#core.probe,
    });
    if (ignored > 0) this.record.dirty ??= 'failed';
  }
}

type Body = (op: Operation) => Promise<void>;

/** A call on the VM: like `inTurn`, and a guest that waits to be restarted is restarted first, at once. */
export function operate(core: Core, id: string, name: string, call: Call | undefined, body: Body): Promise<void> {
  core.ends.interrupt(id, 'go');
  return inTurn(core, id, name, call, body, 'settled');
}
/** Like `operate`, for what throws away whatever is there, known or not. */
export function force(core: Core, id: string, name: string, call: Call | undefined, body: Body): Promise<void> {
  core.ends.interrupt(id, 'go');
  return inTurn(core, id, name, call, body);
}

/** Runs `body` in the VM's turn; the record is looked at, written and told of before the answer. */
export function inTurn(
  core: Core,
  id: string,
  name: string,
  call: Call | undefined,
  body: Body,
  needs: 'settled' | 'nothing' = 'nothing',
): Promise<void> {
  return core.queue.push(id, name, call, async (turn) => {
    const failure = core.records.get(id).dirty ? await core.reconciler.reconcile(id, 'failed') : undefined;
    const record = core.records.get(id);
    // What an interrupted operation left behind is not known yet: its mark must not be lost to another one's.
    if (failure && needs === 'settled' && record.operation !== null) throw failure.error;
    if (record.leaving && name !== 'resetPower') throw undecided(id, record.leaving);
    const op = new Operation(core, record, turn, call);
    try {
      await body(op);
    } catch (error) {
      core.log.info(`${name} failed`, { vm: id, error: String(error), label: call?.label });
      if (op.touched) await core.reconciler.reconcile(id, 'failed');
      throw error;
    }
    if (!op.quiet) await settle(core, record, op.changed);
    if (record.dirty) await core.reconciler.reconcile(id, 'failed');
  });
}

/** The guest was given away, and nobody has said yet whether it was taken. */
export function undecided(vm: string, { to }: Leaving, cause?: unknown) {
  const reason =
    to === null
      ? 'its last migration could not be settled yet; try again'
      : `it was given to ${placeOf(to)}, which has not answered yet whether it took it; it stands still until then. If that host is gone for good, reset the power state (the guest is lost)`;
  return xenopsErrors.make('Failed_to_migrate', { vm, reason }, { cause });
}

/** Brings the record up to date with its domain, writes it when asked, and tells the watchers. */
export async function settle(core: Core, record: VmRecord, write: boolean): Promise<void> {
  await look(core, record);
  record.power = powerOf(record);
  if (!record.run) core.reservations.release(record.id);
  if (write) await core.records.save(record);
  else core.records.seen(record);
}

/** Sees how the domain is now. One that cannot be seen is taken to be as it was. */
export async function look(core: Core, record: VmRecord): Promise<void> {
  record.looking = false;
  if (!record.run) {
    record.live = undefined;
    return;
  }
  try {
    record.live = await observe(core, record.id);
    // Gone without a word.
    if (!record.live) record.dirty ??= 'failed';
  } catch (error) {
    record.dirty ??= 'failed';
    core.log.warn('a domain could not be looked at', { vm: record.id, error: String(error) });
  }
}

export function observe(core: Core, vm: string) {
  const late = () => xenopsErrors.make('Timed_out', { step: 'observing', vm, seconds: lookMs / 1000 });
  return within(core.clock, lookMs, late, () => core.backend.vm.observe(vm));
}
