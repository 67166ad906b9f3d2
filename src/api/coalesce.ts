/**
 * Layers of disks that have become superfluous are made one in the background, once a disk is deleted or a VM has stopped. Each time
 * that there is something to do shows as a task, which can be cancelled.
 */
import { bestEffort } from '../base/best-effort.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { type Call, isKind } from '../contracts/contract.ts';
import type { Storage } from '../contracts/storage.ts';
import type { Xenops } from '../contracts/xenops.ts';
import { nullRef, type Ref } from '../datamodel/dsl.ts';
import type { Db } from '../db/db.ts';
import { chainConfig } from './chain-config.ts';
import type { TaskHandle } from './context.ts';
import type { Tasks } from './tasks.ts';
import { translateError } from './translate/errors.ts';

export interface CoalesceParts {
  readonly db: Db;
  readonly xenops: Pick<Xenops, 'watch'>;
  readonly storage: Pick<Storage, 'sr' | 'vdi'>;
  readonly tasks: Pick<Tasks, 'create' | 'run'>;
  readonly clock: Clock;
  readonly log: Log;
}
/** What happens within this is looked at once. Milliseconds. */
const gatherMs = 1000;

/** Looks after the repositories; the answer stops that. */
export function startCoalescing(parts: CoalesceParts): () => void {
  const { db, xenops, clock, log } = parts;
  let pending: (() => void) | undefined;
  let running: Promise<unknown> = Promise.resolve();
  let stopped = false;
  const round = async () => {
    pending = undefined;
    for (const sr of usable(db))
      if (!stopped && db.has('SR', sr)) await bestEffort('layers are made one later', log, () => coalesce(parts, sr));
  };
  const soon = () => {
    pending ??= clock.after(gatherMs, () => {
      running = running.then(round);
    });
  };
  const unwatchDb = db.watch((events) => {
    if (events.some(({ cls, op }) => cls === 'VDI' && op === 'del')) soon();
  });
  const unwatchXenops = xenops.watch(({ vm }) => {
    if (vm === null || vm.state.power === 'Halted' || vm.state.power === 'Suspended') soon();
  });
  soon();
  return () => {
    stopped = true;
    unwatchDb();
    unwatchXenops();
    pending?.();
  };
}
/** Repositories of disks that are attached here. */
function usable(db: Db): readonly Ref<'SR'>[] {
  const attached = (pbd: string) => db.get('PBD', pbd).currently_attached;
  const rows = [...db.rows('SR')].filter(([, sr]) => sr.content_type !== 'iso' && sr.PBDs.some(attached));
  return rows.map(([ref]) => ref);
}

async function coalesce(parts: CoalesceParts, ref: Ref<'SR'>): Promise<void> {
  const { db, storage } = parts;
  const { uuid: sr } = db.get('SR', ref);
  const shown = new Shown(parts, ref);
  try {
    const { merged } = await storage.sr.coalesce({ sr }, shown.call);
    if (merged > 0) await refreshDisks(parts, ref, sr);
    await shown.end();
  } catch (error) {
    await shown.end(error);
    if (!isKind(error, 'Not_supported') && !isKind(error, 'Cancelled')) throw error;
  }
}
/** The task of one run: there is a row once there is something to do. */
class Shown {
  readonly call: Call;
  readonly #parts: CoalesceParts;
  readonly #sr: Ref<'SR'>;
  readonly #stop = new AbortController();
  readonly #outcome = Promise.withResolvers<void>();
  #handle: TaskHandle | undefined;
  #done: Promise<unknown> | undefined;

  constructor(parts: CoalesceParts, sr: Ref<'SR'>) {
    this.#parts = parts;
    this.#sr = sr;
    this.call = { signal: this.#stop.signal, progress: (fraction) => this.#progress(fraction) };
  }
  #progress(fraction: number): void {
    if (!this.#done) this.#begin();
    this.#handle?.progress(fraction);
  }
  #begin(): void {
    const { db, tasks } = this.#parts;
    const name = db.get('SR', this.#sr).name_label;
    const description = 'Makes layers of disks one that no snapshot needs any more';
    const row = tasks.create({ label: `Coalescing disks in ${name}`, description, session: nullRef });
    const work = async (handle: TaskHandle) => {
      this.#handle = handle;
      handle.cancellable();
      handle.signal.addEventListener('abort', () => this.#stop.abort(handle.signal.reason), { once: true });
      await this.#outcome.promise;
    };
    this.#done = tasks.run(row, work, () => '').catch(() => undefined); // the row tells
  }
  async end(error?: unknown): Promise<void> {
    const { db } = this.#parts;
    if (error === undefined) this.#outcome.resolve();
    else this.#outcome.reject(translateError(db, error, this.#handle?.ref ?? nullRef));
    this.#outcome.promise.catch(() => undefined); // nobody may have been told of it
    await this.#done;
  }
}
/** Writes what the disks are in now. */
async function refreshDisks({ db, storage }: CoalesceParts, ref: Ref<'SR'>, sr: string): Promise<void> {
  const found = new Map((await storage.sr.scan({ sr })).map((info) => [info.vdi, info]));
  const { total, used } = await storage.sr.stat({ sr });
  db.write((w) => {
    for (const vdi of db.find('SR', ref)?.VDIs ?? []) {
      const { uuid, sm_config } = db.get('VDI', vdi);
      const info = found.get(uuid);
      if (info)
        w.set('VDI', vdi, {
          physical_utilisation: info.physicalUtilisation,
          sm_config: chainConfig(sm_config, info),
        });
    }
    if (db.has('SR', ref)) w.set('SR', ref, { physical_size: total, physical_utilisation: used });
  });
}
