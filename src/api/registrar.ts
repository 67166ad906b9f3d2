/**
 * Every VM that is not a template is registered with the domain manager of its host (halted ones too). The registrar pushes
 * a description when the records that it is made from have changed, and remembers what it pushed, so that `sync` can tell a
 * change through another door from an echo of its own.
 */

import type { Log } from '../base/log.ts';
import type { KeyedQueue } from '../base/queue.ts';
import { isKind } from '../contracts/contract.ts';
import type { VmSpec, Xenops } from '../contracts/xenops.ts';
import type { Db, DbEvent } from '../db/db.ts';
import { vmSpec } from './translate/vm.ts';

export interface RegistrarParts {
  readonly db: Db;
  readonly xenops: Xenops;
  readonly log: Log;
  readonly kernelDirs: readonly string[];
  /** Pushes of one VM go one after another. */
  readonly queue: KeyedQueue;
}

export class Registrar {
  readonly #parts: RegistrarParts;
  /** VM uuid → the description last pushed or taken over, as text. */
  readonly #known = new Map<string, string>();

  constructor(parts: RegistrarParts) {
    this.#parts = parts;
  }
  /** Makes the domain manager's description of the VM equal to its records. Templates and control domains are not registered. */
  push(ref: string): Promise<void> {
    return this.#parts.queue.push(ref, async () => {
      const { db, xenops, kernelDirs } = this.#parts;
      const vm = db.find('VM', ref);
      if (!vm || vm.is_a_template || vm.is_control_domain) return;
      const spec = vmSpec(db, ref, { kernelDirs });
      const text = JSON.stringify(spec);
      if (this.#known.get(vm.uuid) === text) return;
      this.#known.set(vm.uuid, text);
      try {
        await xenops.vm.add(spec);
      } catch (error) {
        this.#known.delete(vm.uuid);
        throw error;
      }
    });
  }
  /** Takes the VM out of the domain manager. Not registered is no error. */
  async remove(uuid: string): Promise<void> {
    this.#known.delete(uuid);
    try {
      await this.#parts.xenops.vm.remove({ id: uuid });
    } catch (error) {
      if (!isKind(error, 'Does_not_exist')) throw error;
    }
  }
  /** Whether `spec` is what was pushed last: then an event that carries it is an echo. */
  isEcho(spec: VmSpec): boolean {
    return this.#known.get(spec.id) === JSON.stringify(spec);
  }
  /** Notes that the records were made equal to this description. */
  adopt(spec: VmSpec): void {
    this.#known.set(spec.id, JSON.stringify(spec));
  }
  forget(uuid: string): void {
    this.#known.delete(uuid);
  }
  /** Pushes VMs whose records changed; the answer stops it. */
  start(): () => void {
    return this.#parts.db.watch((events) => {
      for (const ref of this.#touched(events)) {
        this.push(ref).catch((error: unknown) =>
          this.#parts.log.warn('a VM could not be registered', { vm: ref, error: String(error) }),
        );
      }
    });
  }
  #touched(events: readonly DbEvent[]): Set<string> {
    const { db } = this.#parts;
    const refs = new Set<string>();
    for (const e of events) {
      if (e.op === 'del') continue;
      if (e.cls === 'VM') refs.add(e.ref);
      else if (e.cls === 'VBD') refs.add(db.find('VBD', e.ref)?.VM ?? '');
      else if (e.cls === 'VIF') refs.add(db.find('VIF', e.ref)?.VM ?? '');
    }
    refs.delete('');
    return refs;
  }
}
