/**
 * Every VM that is not a template is registered with the domain manager of its host (halted ones too). The registrar pushes
 * a description when the records that it is made from have changed. A description of ours carries the digest of its own content:
 * one whose digest fits was made from the records, so that the records are right when the two differ (also after a crash
 * between a write and its push); any other came through another door, and the records follow it.
 */
import { createHash } from 'node:crypto';

import type { Log } from '../base/log.ts';
import type { KeyedQueue } from '../base/queue.ts';
import { isKind } from '../contracts/contract.ts';
import type { VmSpec, Xenops } from '../contracts/xenops.ts';
import type { Ref } from '../datamodel/dsl.ts';
import type { Db, DbEvent } from '../db/db.ts';
import { movedNote } from './moved-record.ts';
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
  /** VM uuid → the description last pushed or taken over. */
  readonly #known = new Map<string, Known>();
  /** VMs whose push has not begun: it will see what is written until then. */
  readonly #waiting = new Map<string, Promise<void>>();
  /** Descriptions come again with every event of their VM. */
  readonly #judged = new WeakMap<VmSpec, boolean>();
  /** VM uuid → what other doors said in the domain manager's description, and our records do not hold. */
  readonly #theirs = new Map<string, Theirs>();

  constructor(parts: RegistrarParts) {
    this.#parts = parts;
  }
  /** Makes the domain manager's description of the VM equal to its records. Templates and control domains are not registered. */
  push(ref: string): Promise<void> {
    let pushed = this.#waiting.get(ref);
    if (pushed) return pushed;
    pushed = this.#parts.queue.push(ref, async () => {
      // All that is written in one turn of the event loop goes with one push.
      await Promise.resolve();
      this.#waiting.delete(ref);
      await this.#push(ref);
    });
    this.#waiting.set(ref, pushed);
    return pushed;
  }
  async #push(ref: string): Promise<void> {
    const { db, xenops } = this.#parts;
    const vm = db.find('VM', ref);
    if (!vm || vm.is_a_template || vm.is_control_domain) return;
    const made = this.#spec(ref, vm.uuid);
    const text = JSON.stringify(made);
    const known = this.#known.get(vm.uuid);
    if (known && this.isOurs(known.spec) && unsigned(known) === text) return;
    const spec = signed(made);
    this.#judged.set(spec, true);
    this.#known.set(vm.uuid, { spec, unsigned: text });
    try {
      await xenops.vm.add(spec);
    } catch (error) {
      this.#known.delete(vm.uuid);
      throw error;
    }
  }
  #spec(ref: string, uuid: string): VmSpec {
    const { db, kernelDirs } = this.#parts;
    const theirs = this.#theirs.get(uuid);
    if (!theirs) return vmSpec(db, ref, { kernelDirs });
    return withNotes(vmSpec(db, ref, { kernelDirs, kernelFiles: theirs.kernelFiles }), theirs);
  }
  /** Takes the VM out of the domain manager. Not registered is no error. */
  async remove(uuid: string): Promise<void> {
    this.forget(uuid);
    try {
      await this.#parts.xenops.vm.remove({ id: uuid });
    } catch (error) {
      if (!isKind(error, 'Does_not_exist')) throw error;
    }
  }
  /**
   * Whether the domain manager's description says what the records say; then it need not be pushed or judged. Cheaper than
   * either: a start with thousands of VMs asks it of each.
   */
  recognise(ref: string, spec: VmSpec): boolean {
    this.#hear(spec);
    const made = this.describe(ref);
    if (!made) return false;
    const text = JSON.stringify({ ...made, notes: { ...made.notes, [mark]: spec.notes?.[mark] } });
    if (text !== JSON.stringify(spec)) return false;
    this.#judged.set(spec, true);
    this.#known.set(spec.id, { spec });
    return true;
  }
  /** Whether the description was made from our records, not by another door. */
  isOurs(spec: VmSpec): boolean {
    let ours = this.#judged.get(spec);
    if (ours === undefined) {
      ours = spec.notes?.[mark] === digest(spec);
      this.#judged.set(spec, ours);
    }
    return ours;
  }
  /** Throws the API's error when the records cannot be described. */
  check(ref: Ref<'VM'>): void {
    this.#spec(ref, this.#parts.db.get('VM', ref).uuid);
  }
  /** What the records say now; undefined when they cannot be described. */
  describe(ref: string): VmSpec | undefined {
    try {
      return this.#spec(ref, this.#parts.db.get('VM', ref as Ref<'VM'>).uuid);
    } catch (error) {
      this.#parts.log.debug('a VM cannot be described', { vm: ref, error: String(error) });
      return undefined;
    }
  }
  /** Notes what the domain manager has: a push of the same is left out. */
  adopt(spec: VmSpec): void {
    // It comes with every event of the VM.
    if (this.#known.get(spec.id)?.spec === spec) return;
    this.#known.set(spec.id, { spec });
    this.#hear(spec);
  }
  forget(uuid: string): void {
    this.#known.delete(uuid);
    this.#theirs.delete(uuid);
  }
  #hear(spec: VmSpec): void {
    const theirs = theirsOf(spec, this.#parts.kernelDirs);
    if (theirs) this.#theirs.set(spec.id, theirs);
    else this.#theirs.delete(spec.id);
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

const mark = 'xenapi';

type Notes = Readonly<Record<string, string>>;
interface Theirs {
  /** Paths of kernels that another door gave the VM stay possible. */
  readonly kernelFiles: readonly string[];
  readonly notes: Notes;
  /** By the device's id. */
  readonly devices: ReadonlyMap<string, Notes>;
}
/** Undefined when there is nothing to keep, as with most VMs of ours. */
function theirsOf(spec: VmSpec, kernelDirs: readonly string[]): Theirs | undefined {
  const { boot } = spec;
  const files = boot.kind === 'kernel' ? [boot.kernel, boot.ramdisk ?? ''] : [];
  const kernelFiles = files.filter((file) => file !== '' && !kernelDirs.some((dir) => file.startsWith(`${dir}/`)));
  const { [mark]: _, [movedNote]: __, ...notes } = spec.notes ?? {};
  const noted = [...spec.vbds, ...spec.vifs].flatMap((d) => (d.notes ? [[d.id, d.notes] as const] : []));
  if (kernelFiles.length + noted.length + Object.keys(notes).length === 0) return undefined;
  return { kernelFiles, notes, devices: new Map(noted) };
}
function withNotes(spec: VmSpec, { notes, devices }: Theirs): VmSpec {
  const noted = <D extends { readonly id: string }>(device: D): D => {
    const kept = devices.get(device.id);
    return kept ? { ...device, notes: kept } : device;
  };
  return {
    ...spec,
    ...(Object.keys(notes).length > 0 ? { notes: { ...notes, ...spec.notes } } : {}),
    vbds: spec.vbds.map(noted),
    vifs: spec.vifs.map(noted),
  };
}

/** Of everything but our own mark, in an order that does not depend on how the value was made. */
function digest(spec: VmSpec): string {
  const { notes: { [mark]: _, ...notes } = {}, ...rest } = spec;
  return createHash('sha256')
    .update(canonical({ ...rest, notes }))
    .digest('base64')
    .slice(0, 16);
}
/** JSON with the members of objects in the order of their names. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const members = value as Readonly<Record<string, unknown>>;
  let text = '';
  for (const name of Object.keys(members).sort())
    if (members[name] !== undefined) text += `${text && ','}${JSON.stringify(name)}:${canonical(members[name])}`;
  return `{${text}}`;
}
interface Known {
  readonly spec: VmSpec;
  /** Its text without our mark, once somebody asked. */
  unsigned?: string;
}
function unsigned(known: Known): string {
  if (known.unsigned === undefined) {
    const { notes: { [mark]: _, ...notes } = {}, ...rest } = known.spec;
    const bare = Object.keys(notes).length > 0 ? { ...known.spec, notes } : rest;
    known.unsigned = JSON.stringify(bare);
  }
  return known.unsigned;
}
const signed = (spec: VmSpec): VmSpec => ({ ...spec, notes: { ...spec.notes, [mark]: digest(spec) } });
