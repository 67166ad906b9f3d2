/**
 * Makes a VM's record and the world agree: the domain, the disks that are open for it, its ports. Undo is the fast path,
 * this is the guarantee. What cannot be mended now stays `dirty` and is tried again, before the VM's next operation or
 * after a pause that grows.
 */
import type { VbdSpec, VifSpec } from '../contracts/xenops.ts';
import { xenopsErrors } from '../contracts/xenops.ts';
import type { Observed } from './backend.ts';
import { type Core, nowS } from './core.ts';
import { within } from './deadline.ts';
import { settleLeaving } from './leaving.ts';
import { startVm } from './lifecycle.ts';
import { closeFiles, closeMedia, closePort, openMedia, openPort, sameMedia } from './media.ts';
import { observe, settle } from './operation.ts';
import { encode, placeOf, type Run, setDisc, type VmRecord } from './record.ts';
import { settleFreezing } from './snapshot.ts';
import { powerOf } from './state.ts';
import { type How, type Verdict, verdict } from './verdict.ts';

/** The disks that storage has open and the ports that network has, by VM. */
export interface Holdings {
  disks(vm: string): readonly { readonly sr: string; readonly vdi: string }[];
  ports(vm: string): readonly string[];
  /** Whether it has volumes of files. */
  files(vm: string): boolean;
}
const stepMs = 120_000;
const firstRetryMs = 5_000;
const lastRetryMs = 300_000;
const askAgainMs = 2_000;

export class Reconciler {
  readonly #core: Core;
  readonly #retries = new Map<string, { cancel: () => void; waitMs: number }>();
  #closed = false;

  constructor(core: Core) {
    this.#core = core;
  }
  /** Queues a reconciling: something happened behind the record's back. */
  later(vm: string, why: string): void {
    if (this.#closed) return;
    this.#core.log.info('reconciling', { vm, why });
    this.#core.queue
      .push(vm, 'reconcile', undefined, () => this.reconcile(vm, 'late'))
      .catch((error: unknown) => this.#core.log.warn('reconciling failed', { vm, error: String(error) }));
  }
  /** Inside the VM's turn. Never throws: what fails is logged, answered and tried again. */
  async reconcile(vm: string, why: How, holdings?: Holdings): Promise<{ readonly error: unknown } | undefined> {
    let record = this.#core.records.find(vm);
    // A mark that was found stays a found one until it has been dealt with.
    const how = record?.dirty === 'found' ? 'found' : why;
    // The row of a VM that was found is as in memory; after a failed attempt or operation it may not be.
    const row = record && how === 'found' && record.dirty === null ? encode(record) : undefined;
    try {
      // Who has the guest is asked first.
      if (record?.leaving && (await settleLeaving(this.#core, record)) === 'gone') record = undefined;
      const seen = await observe(this.#core, vm);
      const todo: Verdict = record ? verdict(record, seen, how) : { do: 'destroy' };
      if (record) await this.#judge(record, seen, todo);
      else if (seen) await this.#limited('destroy', vm, () => this.#core.backend.vm.destroy(vm));
      if (record) await settleFreezing(this.#core, record, seen);
      await this.#closeLeftovers(vm, record, holdings ?? (await holdingsOf(this.#core)));
      if (record) await this.#finish(record, encode(record) !== row);
      // The last look at it failed, or its end could not be dealt with just now.
      if (record?.dirty) this.#again(vm, record, record.dirty);
      else if (!hasEnded(record)) this.#mended(vm);
      else if (how === 'failed') this.#retry(vm);
      else this.#core.ends.enqueue(vm);
      if (todo.do === 'restart') this.#start(vm);
      return undefined;
    } catch (error) {
      if (record?.leaving?.given)
        this.#core.log.warn('it is not known yet where a guest runs; its receiver is asked again', {
          ...{ vm, to: placeOf(record.leaving.to), error: String(error) },
        });
      else this.#core.log.error('a VM could not be reconciled; tried again later', { vm, error: String(error) });
      this.#again(vm, record, how);
      return { error };
    }
  }
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#retries.values()) cancel();
    this.#retries.clear();
  }

  async #judge(record: VmRecord, seen: Observed | undefined, todo: Verdict): Promise<void> {
    const { id } = record;
    switch (todo.do) {
      case 'adopt':
        if (!seen) break;
        if (todo.unpause) await this.#limited('unpause', id, () => this.#core.backend.vm.unpause(id));
        if (todo.dropImage) record.suspended = null;
        await this.#adopt(record, seen);
        break;
      case 'lost':
        record.lastEnd = lostEnd(this.#core, record.run);
        this.#core.log.warn('a guest is gone', { vm: id, ...record.lastEnd });
        record.run = null;
        break;
      default:
        if (seen) await this.#limited('destroy', id, () => this.#core.backend.vm.destroy(id));
        record.run = null;
    }
    record.operation = null;
  }
  /** Takes the domain as the VM's: what it has is what counts. */
  async #adopt(record: VmRecord, seen: Observed): Promise<void> {
    const { id, run } = record;
    if (!run) return;
    const vbds = mend<VbdSpec>(seen.vbds, run.spec.vbds, record.spec.vbds);
    const vifs = mend<VifSpec>(seen.vifs, run.spec.vifs, record.spec.vifs);
    for (const d of vbds.unknown) await this.#limited('vbd', id, () => this.#core.backend.vbd.detach(id, d, true));
    for (const d of vifs.unknown) await this.#limited('vif', id, () => this.#core.backend.vif.detach(id, d, true));
    // Another domain than the noted one was made by a reboot that was interrupted: from the description, not from the last run's.
    const made = seen.domid === run.domid ? run.spec : record.spec;
    this.#core.reservations.adopt(made);
    const same = vbds.same && vifs.same && seen.domid === run.domid;
    if (!same) {
      const spec = { ...made, vbds: vbds.known, vifs: vifs.known };
      record.run = { ...run, domid: seen.domid, startedAt: seen.startedAt || run.startedAt, spec };
    }
    await this.#mendDiscs(record, seen);
  }
  /** Drives that were found open are empty; a disc that nobody knows is taken out. */
  async #mendDiscs(record: VmRecord, seen: Observed): Promise<void> {
    for (const { id, media } of record.run?.spec.vbds ?? []) {
      const there = seen.discs?.[id];
      if (there === false && media !== null) setDisc(record, id, null);
      if (there === true && media === null && seen.power !== 'ended') {
        await this.#limited('eject', record.id, () => this.#core.backend.vbd.change(record.id, id, null));
      }
    }
  }
  /** Closes disks and ports that nothing of the VM's uses, and notes again those that it uses. */
  async #closeLeftovers(vm: string, record: VmRecord | undefined, holdings: Holdings): Promise<void> {
    const { ground } = this.#core;
    const { kernels } = ground;
    if (kernels && !record?.run && !record?.suspended) await this.#limited('dropKernel', vm, () => kernels.drop(vm));
    const running = record?.run?.spec ?? this.#core.incoming.specOf(vm);
    const open = holdings.disks(vm).map((disk) => ({ kind: 'vdi' as const, ...disk }));
    for (const disk of open) {
      if (running?.vbds.some((vbd) => sameMedia(vbd.media, disk))) continue;
      await this.#limited('close', vm, () => closeMedia(ground, vm, disk));
    }
    const usesFiles = running?.vbds.some(({ media }) => media?.kind === 'files') ?? false;
    if (holdings.files(vm) && !usesFiles) await this.#limited('close', vm, () => closeFiles(ground, vm));
    for (const port of holdings.ports(vm)) {
      if (running?.vifs.some((vif) => vif.id === port)) continue;
      await this.#limited('detach', vm, () => closePort(ground, vm, port));
    }
    for (const vif of running?.vifs ?? []) {
      if (holdings.ports(vm).includes(vif.id)) continue;
      await this.#limited('attach', vm, () => openPort(ground, vm, vif));
    }
    for (const { media, mode } of running?.vbds ?? []) {
      if (media === null || media.kind === 'path' || open.some((disk) => sameMedia(disk, media))) continue;
      await this.#limited('open', vm, () => openMedia(ground, vm, media, mode));
    }
  }
  async #finish(record: VmRecord, write: boolean): Promise<void> {
    record.dirty = null;
    await settle(this.#core, record, write);
  }
  #start(vm: string): void {
    startVm(this.#core, vm, false).catch((error: unknown) => {
      this.#core.log.warn('a VM whose reboot was interrupted could not be started', { vm, error: String(error) });
    });
  }
  #limited<T>(step: string, vm: string, f: () => Promise<T>): Promise<T> {
    const late = () => xenopsErrors.make('Timed_out', { step, vm, seconds: stepMs / 1000 });
    return within(this.#core.clock, stepMs, late, f, () => this.later(vm, `${step} ended after it was given up`));
  }
  #again(vm: string, record: VmRecord | undefined, how: How): void {
    if (record) {
      record.dirty = how;
      // What was found out so far counts already.
      record.power = powerOf(record);
      if (!record.run) this.#core.reservations.release(vm);
      this.#core.records.seen(record);
    }
    this.#retry(vm);
  }
  #retry(vm: string): void {
    if (this.#closed) return;
    const before = this.#retries.get(vm);
    before?.cancel();
    const grown = before ? Math.min(lastRetryMs, before.waitMs * 2) : firstRetryMs;
    // A guest that stands still until its receiver answers is not left waiting.
    const waitMs = this.#core.records.find(vm)?.leaving?.given ? askAgainMs : grown;
    const cancel = this.#core.clock.after(waitMs, () => this.later(vm, 'it could not be reconciled before'));
    this.#retries.set(vm, { cancel, waitMs });
  }
  #mended(vm: string): void {
    this.#retries.get(vm)?.cancel();
    this.#retries.delete(vm);
  }
}

/** Who holds what now, by VM. */
export async function holdingsOf(
  core: Pick<Core, 'ground' | 'clock'>,
): Promise<Holdings & { vms: ReadonlySet<string> }> {
  const late = () => xenopsErrors.make('Timed_out', { step: 'listing disks and ports', vm: 'all', seconds: 120 });
  const [users, ports, withFiles] = await within(core.clock, stepMs, late, () =>
    Promise.all([
      core.ground.storage.vdi.users({}),
      core.ground.network.port.list({}),
      core.ground.storage.disc.users({}),
    ]),
  );
  const disksOf = Map.groupBy(users, (u) => u.user);
  const portsOf = Map.groupBy(ports, (p) => p.vm);
  return {
    vms: new Set([...disksOf.keys(), ...portsOf.keys(), ...withFiles]),
    disks: (vm) => (disksOf.get(vm) ?? []).map(({ sr, vdi }) => ({ sr, vdi })),
    files: (vm) => withFiles.includes(vm),
    ports: (vm) => (portsOf.get(vm) ?? []).map((p) => p.device),
  };
}

/** The devices that a domain has: those that are known, from what ran or from the description, and those that are not. */
function mend<D extends { readonly id: string }>(seen: readonly string[], ran: readonly D[], described: readonly D[]) {
  const find = (id: string) => ran.find((d) => d.id === id) ?? described.find((d) => d.id === id);
  const known = seen.flatMap((id) => find(id) ?? []);
  const unknown = seen.filter((id) => !find(id));
  const same = unknown.length === 0 && known.length === ran.length && known.every((d) => ran.includes(d));
  return { known, unknown, same };
}
/** A guest has ended, and what its description says about that was not done yet. */
function hasEnded(record: VmRecord | undefined): boolean {
  return record?.live?.power === 'ended' && !record.run?.preserved;
}
function lostEnd(core: Core, run: Run | null) {
  const sameBoot = core.boot !== '' && run?.boot === core.boot;
  const at = nowS(core);
  return sameBoot
    ? { reason: 'killed' as const, detail: 'its domain was gone when the toolstack looked', at }
    : { reason: 'host' as const, detail: 'the host went down while it ran', at };
}
