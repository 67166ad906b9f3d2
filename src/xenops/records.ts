/** The VMs of this host: in memory, written through to the store, every change with a revision and an event. */
import type { Log } from '../base/log.ts';
import { type VmEntry, type VmSpec, type XenopsEvent, xenopsErrors } from '../contracts/xenops.ts';
import type { Change, Store } from '../store/store.ts';
import type { Listeners } from './events.ts';
import { decode, encode, newRecord, type VmRecord } from './record.ts';
import { stateOf } from './state.ts';

const table = 'xenops_vm';
const incoming = 'xenops_incoming';
const farewell = 'xenops_farewell';
/** `revision`: no revision up to this one is given out again. */
const counters = 'xenops_counter';
/** How many revisions of changes that are not written (a guest's memory) go between two writes of the counter. */
const stride = 10_000;

/** What another host is to be told, written together with the record that it follows from. */
export interface OwedRow {
  readonly token: string;
  readonly text: string;
}
const owedChange = (owed: OwedRow | undefined): Change[] =>
  owed ? [{ table: farewell, key: owed.token, value: owed.text }] : [];

export class Records {
  readonly #store: Store;
  readonly #events: Listeners<XenopsEvent>;
  readonly #vms = new Map<string, VmRecord>();
  readonly #addresses = new Map<string, readonly string[]>();
  readonly #log: Log;
  #revision = 0;
  #ceiling = 0;

  private constructor(store: Store, events: Listeners<XenopsEvent>, log: Log) {
    this.#store = store;
    this.#events = events;
    this.#log = log;
  }
  static async open(store: Store, events: Listeners<XenopsEvent>, log: Log): Promise<Records> {
    const records = new Records(store, events, log);
    let revision = await store.revision();
    for await (const [, value] of store.load(counters)) revision = Math.max(revision, Number(value));
    records.#revision = revision;
    records.#ceiling = revision;
    for await (const [id, text] of store.load(table)) {
      const record = decode(id, text);
      record.revision = record.told = ++records.#revision;
      records.#vms.set(id, record);
    }
    return records;
  }

  has(id: string): boolean {
    return this.#vms.has(id);
  }
  find(id: string): VmRecord | undefined {
    return this.#vms.get(id);
  }
  /** Does_not_exist. */
  get(id: string): VmRecord {
    const record = this.#vms.get(id);
    if (!record) throw xenopsErrors.make('Does_not_exist', { what: 'VM', id });
    return record;
  }
  all(): IterableIterator<VmRecord> {
    return this.#vms.values();
  }
  /** Answers the record, new or known, with this description; not written yet. */
  describe(spec: VmSpec): VmRecord {
    const known = this.#vms.get(spec.id);
    if (known) {
      known.spec = spec;
      return known;
    }
    const record = newRecord(spec);
    this.#vms.set(spec.id, record);
    return record;
  }

  /**
   * Writes a record; resolves when it is durable. Watchers are told at once, of what is in the world whether it is written or
   * not: what they write in turn shares the commit. Io_error.
   */
  async save(record: VmRecord): Promise<void> {
    this.#touch(record);
    const written = this.#commit([{ table, key: record.id, value: encode(record) }]);
    this.tell(record);
    await written;
  }
  /** Writes a record as it is in the middle of an operation: durable, but nobody is told. Io_error. */
  note(record: VmRecord, owed?: OwedRow): Promise<void> {
    return this.#commit([{ table, key: record.id, value: encode(record) }, ...owedChange(owed)]);
  }
  /** The rows of what other hosts are to be told, by token. */
  farewells(): AsyncIterable<readonly [string, string]> {
    return this.#store.load(farewell);
  }
  /** It was told. Io_error. */
  async dropFarewell(token: string): Promise<void> {
    await this.#commit([{ table: farewell, key: token, value: null }]);
  }
  /** The rows of guests that are arriving, by token. */
  arrivals(): AsyncIterable<readonly [string, string]> {
    return this.#store.load(incoming);
  }
  /** Writes (null: removes) the row of a guest that is arriving, with its VM's record in one. Io_error. */
  noteArrival(token: string, row: string | null, record?: VmRecord): Promise<void> {
    const own = record ? [{ table, key: record.id, value: encode(record) }] : [];
    return this.#commit([{ table: incoming, key: token, value: row }, ...own]);
  }
  /** Something was seen that is not written: watchers are told. */
  seen(record: VmRecord): void {
    this.#touch(record);
    if (this.#revision > this.#ceiling) this.#raiseCeiling();
    this.tell(record);
  }
  async remove(record: VmRecord, owed?: OwedRow): Promise<void> {
    this.#vms.delete(record.id);
    await this.#commit([{ table, key: record.id, value: null }, ...owedChange(owed)]);
    this.#events.tell({ id: record.id, vm: null });
  }

  entry(record: VmRecord): VmEntry {
    if (!record.entry) {
      const state = stateOf(record, (mac) => this.#addresses.get(mac) ?? []);
      record.entry = { spec: record.spec, state, revision: record.revision };
    }
    return record.entry;
  }
  tell(record: VmRecord): void {
    if (record.told >= record.revision || this.#vms.get(record.id) !== record) return;
    record.told = record.revision;
    this.#events.tell({ id: record.id, vm: this.entry(record) });
  }
  /** The addresses that a MAC was given. */
  lease(mac: string, addresses: readonly string[]): void {
    this.#addresses.set(mac, addresses);
  }

  #touch(record: VmRecord): void {
    record.revision = ++this.#revision;
    record.entry = undefined;
  }
  async #commit(changes: readonly Change[]): Promise<void> {
    const revision = ++this.#revision;
    try {
      await this.#store.commit(revision, changes);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw xenopsErrors.make('Io_error', { reason: `the store of the domain manager: ${reason}` }, { cause });
    }
  }
  #raiseCeiling(): void {
    this.#ceiling = this.#revision + stride;
    this.#commit([{ table: counters, key: 'revision', value: String(this.#ceiling) }]).catch((error: unknown) => {
      this.#log.error('the counter of revisions could not be written', { error: String(error) });
    });
  }
}
