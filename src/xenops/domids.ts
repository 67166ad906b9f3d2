import type { Backend } from './backend.ts';
import type { Records } from './records.ts';

/** The greatest number of a domain on Xen, less one. */
const limit = 32_751;

/** Gives out domain numbers: growing, round again at the end, never one that is in use. */
export class Domids {
  readonly #records: Records;
  readonly #foreign: ReadonlySet<number>;
  #last: number;

  private constructor(records: Records, foreign: ReadonlySet<number>, last: number) {
    this.#records = records;
    this.#foreign = foreign;
    this.#last = last;
  }
  static async open(backend: Backend, records: Records): Promise<Domids> {
    const [ours, foreign] = await Promise.all([backend.observeAll(), backend.foreign()]);
    const known = [...records.all()].map((r) => r.run?.domid ?? 0);
    const last = Math.max(0, ...known, ...ours.map((d) => d.domid), ...foreign.map((d) => d.domid));
    return new Domids(records, new Set(foreign.map((d) => d.domid)), last);
  }
  next(): number {
    if (this.#last < limit) return ++this.#last;
    const used = new Set([...this.#records.all()].map((r) => r.run?.domid));
    for (let domid = 1; domid <= limit; domid++) {
      if (!used.has(domid) && !this.#foreign.has(domid)) return domid;
    }
    throw new Error(`all ${limit} domain numbers are in use`);
  }
}
