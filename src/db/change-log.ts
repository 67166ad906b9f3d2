/** What changed since a revision: a bounded list of durable changes, folded to one per object when asked. */
export type Op = 'add' | 'mod' | 'del';
/** The same shape as a `DbEvent`, with the class as plain text. */
export interface LoggedChange {
  readonly cls: string;
  readonly ref: string;
  readonly op: Op;
  readonly revision: number;
}

export class ChangeLog {
  readonly #limit: number;
  #entries: LoggedChange[] = [];
  /** Changes after this revision are all held. */
  #floor: number;

  constructor(limit: number, floor: number) {
    this.#limit = limit;
    this.#floor = floor;
  }
  get floor(): number {
    return this.#floor;
  }
  append(changes: readonly LoggedChange[]): void {
    for (const c of changes) this.#entries.push(c);
    // Cut in halves, so that the cost is spread over many appends; never in the middle of a revision.
    if (this.#entries.length <= 2 * this.#limit) return;
    const cut = this.#entries[this.#entries.length - this.#limit - 1];
    if (!cut) return;
    this.#floor = cut.revision;
    this.#entries = this.#entries.slice(this.#after(cut.revision));
  }
  /** Changes after `since`, one per object: adds, then mods, then dels, each in order of their last change. */
  since(since: number, classes?: ReadonlySet<string>): LoggedChange[] {
    const folded = new Map<string, { first: Op; last: LoggedChange }>();
    for (let i = this.#after(since); i < this.#entries.length; i++) {
      const entry = this.#entries[i] as LoggedChange;
      if (classes && !classes.has(entry.cls)) continue;
      const key = `${entry.cls}/${entry.ref}`;
      const first = folded.get(key)?.first ?? entry.op;
      folded.delete(key);
      folded.set(key, { first, last: entry });
    }
    const out: Record<Op, LoggedChange[]> = { add: [], mod: [], del: [] };
    for (const { first, last } of folded.values()) {
      const op = fold(first, last.op);
      if (op) out[op].push(op === last.op ? last : { ...last, op });
    }
    return [...out.add, ...out.mod, ...out.del];
  }
  /** Index of the first entry after a revision. */
  #after(revision: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle]?.revision ?? 0) > revision) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** One op for a run of them: made and removed again is nothing; removed and made again is a change. */
function fold(first: Op, last: Op): Op | undefined {
  const before = first !== 'add';
  const after = last !== 'del';
  if (before) return after ? 'mod' : 'del';
  return after ? 'add' : undefined;
}
