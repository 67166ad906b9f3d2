/**
 * Guests that arrive from a domain manager, this one or another: the receiver's side of a migration. Each attempt is a row in the
 * store, so that after a restart it is known who has the guest.
 *
 *     prepare ──▶ receiving ──receive──▶ ready ──commit──▶ committed ──forget──▶ (no row)
 *                     │                    │                  └─ the copy has the VM's name and goes on
 *                     └─ a restart, abort ─┴─ abort ──▶ (no row, no copy)
 *
 * A copy is a domain whose name is the attempt's token; it stays paused until its row says `committed`. An attempt has a line of
 * its own: the sender on this same host holds its VM's turn all the while.
 */
import { bestEffort } from '../base/best-effort.ts';
import type { Call } from '../contracts/contract.ts';
import { type VmSpec, type Xenops, xenopsErrors } from '../contracts/xenops.ts';
import type { Core } from './core.ts';
import { guardArrival, needsCapability } from './guard.ts';
import { expectedSpec } from './kernels.ts';
import { observe, settle } from './operation.ts';
import { op, type Plan } from './plan.ts';
import { migrateArrivePlan, migrateDropPlan, migrateReceivePlan } from './plans/migrate.ts';
import { VmQueue } from './queue.ts';
import type { VmRecord } from './record.ts';
import { run } from './run.ts';
import { checkSpec } from './spec.ts';

interface Row {
  readonly token: string;
  readonly spec: VmSpec;
  readonly domid: number;
  readonly startedAt: number;
  /** The guest comes from a domain of this host. */
  readonly here: boolean;
  phase: 'receiving' | 'ready' | 'committed';
  /** Committed, and its guest goes on under the VM's name. */
  arrived: boolean;
}
interface Arrival extends Row {
  /** Where the guest is read from; of this process only. */
  address: string;
  /** When its sender was last heard of, ms. */
  heardAt: number;
  /** Its guest is coming in. */
  busy: boolean;
  /** Ends the wait for its sender. */
  calm?: () => void;
}
type Token = { readonly token: string };
/** How many arrive at once. */
const lines = 64;
/** A copy whose sender, on another host, is not heard of for this long is dropped, unless it was given the guest. */
const silenceMs = 600_000;
/** How many attempts that were aborted are remembered: a call of theirs may still be on its way. */
const remembered = 1000;

export class Incoming implements IncomingContract {
  readonly #core: Core;
  readonly #rows = new Map<string, Arrival>();
  readonly #queue = new VmQueue(lines);
  /** The last attempts that were aborted. A connection that brings a late call ends with this process. */
  readonly #over = new Set<string>();

  private constructor(core: Core) {
    this.#core = core;
  }
  static async open(core: Core): Promise<Incoming> {
    const incoming = new Incoming(core);
    for await (const [token, text] of core.records.arrivals()) {
      // Written by `#note`.
      incoming.#rows.set(token, {
        ...(JSON.parse(text) as Row),
        token,
        address: '',
        heardAt: core.clock.now(),
        busy: false,
      });
    }
    return incoming;
  }
  has(token: string): boolean {
    return this.#rows.has(token);
  }
  /** What a VM that is arriving, and is not the VM's yet, uses: its disks and ports. */
  specOf(vm: string): VmSpec | undefined {
    return [...this.#rows.values()].find((r) => r.spec.id === vm && !r.arrived)?.spec;
  }
  close(): Promise<void> {
    for (const row of this.#rows.values()) row.calm?.();
    return this.#queue.close();
  }

  prepare(
    a: { readonly token: string; readonly spec: VmSpec; readonly startedAt: number; readonly about: string },
    call?: Call,
  ): Promise<void> {
    const { token, spec, startedAt, about } = a;
    return this.#queue.push(token, 'prepare', call, async ({ signal }) => {
      if (this.#rows.has(token)) return;
      if (this.#over.has(token)) throw xenopsErrors.make('Cancelled', { task: `receiving ${spec.id}` });
      const { backend, records, reservations } = this.#core;
      needsCapability(backend, 'live-migrate', 'receiving a guest');
      checkSpec(spec);
      backend.vm.check(this.#core.ground.kernels ? expectedSpec(spec) : spec);
      const record = records.find(spec.id);
      const here = record?.leaving?.token === token;
      if (here && record.leaving?.to) throw failed(spec.id, 'the address is that of this very host: leave it out');
      if (!here) guardArrival(spec.id, record, this.specOf(spec.id) !== undefined);
      reservations.reserve({ ...spec, id: token });
      const domid = this.#core.nextDomid();
      const row: Arrival = {
        ...{ token, spec, domid, startedAt, here, phase: 'receiving', arrived: false, address: '' },
        heardAt: this.#core.clock.now(),
        busy: false,
      };
      try {
        this.#rows.set(token, row);
        await this.#note(row);
        await this.#run(token, migrateReceivePlan(spec, { domain: token, domid, here, about }), signal);
        row.address = (await backend.migration?.listen(token, about)) ?? '';
        this.#await(row);
      } catch (error) {
        await bestEffort('the sender aborts again', this.#core.log, () => this.#drop(row));
        throw error;
      }
    });
  }
  async stat({ token }: Token) {
    const row = this.#rows.get(token);
    if (!row) return { phase: 'unknown' as const, address: '' };
    row.heardAt = this.#core.clock.now();
    return { phase: row.phase, address: row.phase === 'receiving' ? row.address : '' };
  }
  receive({ token }: Token, call?: Call): Promise<void> {
    return this.#queue.push(token, 'receive', call, async ({ signal }) => {
      const row = this.#get(token);
      if (row.phase !== 'receiving') return;
      row.busy = true;
      const plan = op('VM.receive', { spec: { ...row.spec, id: token }, address: row.address });
      try {
        await this.#run(token, plan, signal);
      } catch (error) {
        // Its stream is lost, and its sender may be out of reach.
        if (!row.here) await bestEffort('the sender aborts again', this.#core.log, () => this.#drop(row));
        throw error;
      } finally {
        row.busy = false;
        row.heardAt = this.#core.clock.now();
      }
      this.#core.log.debug('a guest has come in whole', { vm: row.spec.id });
      row.phase = 'ready';
      await this.#note(row).catch((error: unknown) => {
        row.phase = 'receiving';
        throw error;
      });
    });
  }
  commit({ token }: Token): Promise<void> {
    return this.#queue.push(token, 'commit', undefined, async () => {
      const row = this.#get(token);
      if (row.phase === 'receiving') throw refused(row, 'its guest has not arrived');
      if (row.arrived) return;
      await this.#assertThere(row);
      const { queue, records } = this.#core;
      const vm = row.spec.id;
      // The sender of this same domain manager has the VM's turn.
      if (records.find(vm)?.leaving?.token === token) return this.#arrive(row);
      return queue.push(vm, 'arrive', undefined, async () => {
        await this.#arrive(row);
        await settle(this.#core, records.get(vm), true);
      });
    });
  }
  abort({ token }: Token): Promise<void> {
    this.#queue.supersede(token, ['prepare', 'receive']);
    return this.#queue.push(token, 'abort', undefined, async () => {
      const row = this.#rows.get(token);
      if (row?.phase === 'committed') throw refused(row, 'its guest was given away already');
      this.#bury(token);
      if (!row) return;
      await this.#drop(row);
    });
  }
  forget({ token }: Token): Promise<void> {
    return this.#queue.push(token, 'forget', undefined, async () => {
      const row = this.#rows.get(token);
      if (!row) return;
      if (!row.arrived) throw refused(row, 'its guest does not run yet');
      this.#core.reservations.release(token);
      await this.#forget(row);
    });
  }

  /** A copy that has died is no guest to go on with: the sender, who still has its own, takes that back. Does_not_exist. */
  async #assertThere(row: Arrival): Promise<void> {
    if (row.phase !== 'ready' || (await observe(this.#core, row.token))) return;
    await this.#drop(row);
    this.#get(row.token);
  }
  #bury(token: string): void {
    this.#over.add(token);
    for (const oldest of this.#over) {
      if (this.#over.size <= remembered) break;
      this.#over.delete(oldest);
    }
  }

  /** After a restart, before anything else: what cannot arrive any more goes, what was committed goes on. */
  async recover(): Promise<void> {
    const { log } = this.#core;
    await Promise.all(
      [...this.#rows.values()].map((row) =>
        this.#queue
          .push(row.token, 'recover', undefined, () => this.#recover(row))
          .catch((error: unknown) =>
            log.warn('an arrival is left to its sender', { vm: row.spec.id, error: String(error) }),
          ),
      ),
    );
  }
  async #recover(row: Arrival): Promise<void> {
    const { records, reservations } = this.#core;
    const record = records.find(row.spec.id);
    const leaving = record?.leaving?.token === row.token;
    if (row.phase === 'committed') {
      if (leaving) reservations.adopt({ ...row.spec, id: row.token });
      if (!row.arrived) await this.#arrive(row);
      // Its sender was this domain manager, and has ended its side.
      if (row.here && !leaving) await this.#forget(row);
      return;
    }
    reservations.adopt({ ...row.spec, id: row.token });
    // Its stream ended with the process that read it.
    if (row.phase === 'receiving' || !(await observe(this.#core, row.token))) await this.#drop(row);
    else this.#await(row);
  }
  /** Drops a copy that nobody asks after any more: its sender has gone on with the guest. */
  #await(row: Arrival): void {
    const { clock, log } = this.#core;
    if (row.here) return;
    const look = () => {
      if (this.#rows.get(row.token) !== row || row.phase === 'committed') return;
      if (row.busy || clock.now() - row.heardAt < silenceMs) return this.#await(row);
      void bestEffort('a copy whose sender is silent', log, () => this.abort(row));
    };
    row.calm = clock.after(Math.max(1000, silenceMs - (clock.now() - row.heardAt)), look);
  }

  /** From here on the copy is the VM. */
  async #arrive(row: Arrival): Promise<void> {
    const { backend, reservations, records } = this.#core;
    const vm = row.spec.id;
    if (row.phase !== 'committed') await this.#commit(row);
    await this.#run(vm, migrateArrivePlan(row.spec, { domain: row.token, here: row.here }));
    if ((await observe(this.#core, vm))?.power === 'paused') await this.#run(vm, op('VM.unpause', { vm }));
    row.arrived = true;
    await this.#note(row).catch((error: unknown) => {
      row.arrived = false;
      throw error;
    });
    const record = records.find(vm);
    if (record?.leaving?.token === row.token) return;
    if (record?.run) reservations.adopt(record.run.spec);
    reservations.release(row.token);
    this.#core.log.info('a guest has arrived', { vm, backend: backend.name });
  }
  /** The VM's record and the row, in one. */
  async #commit(row: Arrival): Promise<void> {
    const { records, boot } = this.#core;
    const { spec, domid, startedAt, here } = row;
    const record = records.find(spec.id) ?? records.describe(spec);
    if (!here) guardArrival(spec.id, record, false);
    const before: Pick<VmRecord, 'run' | 'startedAt'> = { run: record.run, startedAt: record.startedAt };
    record.run = { domid, startedAt, spec: here && record.run ? record.run.spec : spec, boot };
    record.startedAt = startedAt;
    row.phase = 'committed';
    await this.#note(row, record).catch((error: unknown) => {
      Object.assign(record, before);
      row.phase = 'ready';
      throw error;
    });
  }
  async #drop(row: Arrival): Promise<void> {
    // Before the row: nobody would look for the disks and ports of a VM, or a domain, that is not known here.
    await this.#run(row.token, migrateDropPlan(row.spec, { domain: row.token, here: row.here }));
    this.#core.reservations.release(row.token);
    await this.#forget(row);
    // Disks and ports that nobody uses now.
    if (!row.here) this.#core.reconciler.later(row.spec.id, 'a guest did not arrive');
  }
  async #forget(row: Arrival): Promise<void> {
    const { backend, log } = this.#core;
    await bestEffort('logs of a domain that is gone', log, () => backend.forget?.(row.token));
    await this.#core.records.noteArrival(row.token, null);
    row.calm?.();
    this.#rows.delete(row.token);
  }
  #note(row: Arrival, record?: VmRecord): Promise<void> {
    const { token, spec, domid, startedAt, here, phase, arrived } = row;
    const kept: Row = { token, spec, domid, startedAt, here, phase, arrived };
    return this.#core.records.noteArrival(token, JSON.stringify(kept), record);
  }
  #get(token: string): Arrival {
    const row = this.#rows.get(token);
    if (!row) throw xenopsErrors.make('Does_not_exist', { what: 'arriving VM', id: token });
    return row;
  }
  async #run(vm: string, plan: Plan, signal?: AbortSignal): Promise<void> {
    const { ground, log, probe } = this.#core;
    await run(ground, plan, { vm, log, signal, ...probe });
  }
}
type IncomingContract = Xenops['incoming'];

const failed = (vm: string, reason: string) => xenopsErrors.make('Failed_to_migrate', { vm, reason });
const refused = (row: Row, reason: string) => failed(row.spec.id, reason);
