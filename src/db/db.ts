/**
 * XenAPI's objects, references and events. Reads are from memory and never wait. Writes change memory at once inside
 * `write`, get one revision per outermost `write`, and are durable when `durable()` answers. Events are delivered after that.
 */

import type { Ref } from '../datamodel/dsl.ts';
import type { ClassName, Rec } from '../datamodel/index.ts';

export type Row<C extends ClassName> = readonly [ref: Ref<C>, record: Rec<C>];
export type Patch<C extends ClassName> = { readonly [K in keyof Rec<C>]?: Rec<C>[K] };

/** One object that changed between two revisions; several changes of one object are folded. */
export interface DbEvent {
  readonly cls: ClassName;
  readonly ref: string;
  readonly op: 'add' | 'mod' | 'del';
  readonly revision: number;
}

export interface Reader {
  /** The record; HANDLE_INVALID [class, ref] when there is none. Records are frozen: a change makes a new one. */
  get<C extends ClassName>(cls: C, ref: string): Rec<C>;
  find<C extends ClassName>(cls: C, ref: string): Rec<C> | undefined;
  has(cls: ClassName, ref: string): boolean;
  /** UUID_INVALID [class, uuid] when there is none. */
  byUuid<C extends ClassName>(cls: C, uuid: string): Ref<C>;
  findByUuid<C extends ClassName>(cls: C, uuid: string): Ref<C> | undefined;
  byName<C extends ClassName>(cls: C, label: string): Ref<C>[];
  rows<C extends ClassName>(cls: C): IterableIterator<Row<C>>;
  refs<C extends ClassName>(cls: C): IterableIterator<Ref<C>>;
  count(cls: ClassName): number;
  /** Objects of `cls` whose single reference `field` (`VBD.VM`) is `ref`; by index where the field is one end of a relation. */
  where<C extends ClassName>(cls: C, field: keyof Rec<C> & string, ref: string): Ref<C>[];
}
export interface Writer {
  /** Fields left out get their defaults, or the empty value of their type; `uuid` is made when not given. */
  create<C extends ClassName>(cls: C, fields: Patch<C>, ref?: string): Ref<C>;
  /** Fields that are already so make no change. The set end of a one-to-many relation cannot be written. */
  set<C extends ClassName>(cls: C, ref: string, patch: Patch<C>): void;
  /** Removes the row. References to it elsewhere become null references where the class declares a relation. No row: no error. */
  destroy(cls: ClassName, ref: string): void;
  /** Reports the object as changed though nothing in it did (`event.inject`, heartbeats). HANDLE_INVALID when there is none. */
  touch(cls: ClassName, ref: string): void;
}

export interface Db extends Reader, Writer {
  /** Groups writes into one commit: all of them are seen and kept, or none when `f` throws. */
  write<T>(f: (w: Writer) => T): T;
  /** The revision of the newest write. */
  readonly revision: number;
  /** Answers when everything written so far is durable. */
  durable(): Promise<void>;
  /** Changes after `since` that are durable, one per object: adds, then mods, then dels; undefined when `since` is too old to know. */
  changes(since: number, classes?: ReadonlySet<string>): readonly DbEvent[] | undefined;
  /** The newest durable revision: the event token. */
  readonly settled: number;
  /** Called after each durable commit, with its events. */
  watch(listener: (events: readonly DbEvent[], revision: number) => void): () => void;
  /** The public record (no internal fields) as wire text, made once per change. */
  xml(cls: ClassName, ref: string): Buffer;
  json(cls: ClassName, ref: string): Buffer;
  /** The public record as a frozen value, made once per change too. */
  open(cls: ClassName, ref: string): Readonly<Record<string, unknown>>;
  close(): Promise<void>;
}
