/**
 * What has changed since a number that the caller remembers, for doors whose callers poll. An object that changes again
 * moves to the end; one that is removed leaves without a word: the caller finds out when it asks for it.
 *
 * A barrier is a mark: when a caller meets it, everything that changed before it was injected has been handed to it.
 */
import type { Clock } from '../base/clock.ts';
import type { VmEntry, XenopsEvent } from '../contracts/xenops.ts';

/** `vm`: the VM, '' for a task. `id`: the device's, or the task's; '' for a VM. */
export interface Changed {
  readonly kind: 'vm' | 'vbd' | 'vif' | 'pci' | 'vgpu' | 'vusb' | 'task';
  readonly vm: string;
  readonly id: string;
}
export interface Barrier {
  readonly id: number;
  readonly changed: readonly Changed[];
}
export interface Page {
  readonly barriers: readonly Barrier[];
  readonly changed: readonly Changed[];
  /** To be given with the next question. */
  readonly last: number;
}
interface Row {
  readonly object: Changed;
  readonly at: number;
}
const keyOf = ({ kind, vm, id }: Changed): string => `${kind}\0${vm}\0${id}`;
const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

export class Updates {
  readonly #clock: Clock;
  /** In the order of `at`: what changes moves to the end. */
  readonly #rows = new Map<string, Row>();
  readonly #last = new Map<string, VmEntry>();
  #barriers: { readonly id: number; readonly at: number; readonly rows: readonly Row[] }[] = [];
  #next = 1;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }
  /** An event of the domain manager; also what there is at the start. */
  follow({ id, vm: entry }: XenopsEvent): void {
    const before = this.#last.get(id);
    if (!entry) {
      this.#last.delete(id);
      for (const { object } of this.#of(id)) this.drop(object);
      return;
    }
    this.#last.set(id, entry);
    this.touch({ kind: 'vm', vm: id, id: '' });
    for (const kind of ['vbds', 'vifs'] as const) {
      const as = kind === 'vbds' ? 'vbd' : 'vif';
      for (const device of entry.spec[kind]) {
        const was = before?.spec[kind].find((d) => d.id === device.id);
        const still = same(was, device) && same(before?.state[kind][device.id], entry.state[kind][device.id]);
        if (!still) this.touch({ kind: as, vm: id, id: device.id });
      }
      for (const { id: gone } of before?.spec[kind] ?? [])
        if (!entry.spec[kind].some((d) => d.id === gone)) this.drop({ kind: as, vm: id, id: gone });
    }
  }
  touch(object: Changed): void {
    const key = keyOf(object);
    this.#rows.delete(key);
    this.#rows.set(key, { object, at: this.#next++ });
    this.#wake();
  }
  drop(object: Changed): void {
    this.#rows.delete(keyOf(object));
    this.#next++;
  }
  /** The number of the last change. */
  get lastId(): number {
    return this.#next - 1;
  }
  injectBarrier(vm: string, id: number): void {
    this.#barriers.push({ id, at: this.#next++, rows: [...this.#of(vm)] });
    this.#wake();
  }
  removeBarrier(id: number): void {
    this.#barriers = this.#barriers.filter((b) => b.id !== id);
    this.#next++;
  }
  /** The VM and its devices count as changed. */
  refresh(vm: string): void {
    for (const { object } of [...this.#of(vm)]) this.touch(object);
  }
  /** Waits until there is something after `last`; after `timeoutS`, or when the caller is gone, the page is empty. */
  async get(last: number, timeoutS: number | undefined, signal: AbortSignal): Promise<Page> {
    const stop = new AbortController();
    const late = timeoutS === undefined ? undefined : this.#clock.after(timeoutS * 1000, () => stop.abort());
    const over = AbortSignal.any([stop.signal, signal]);
    try {
      for (;;) {
        const page = this.#page(last);
        if (page.barriers.length + page.changed.length > 0 || over.aborted) return page;
        await this.#change(over);
      }
    } finally {
      late?.();
    }
  }

  *#of(vm: string): Generator<Row> {
    for (const row of [...this.#rows.values()]) if (row.object.vm === vm) yield row;
  }
  #page(last: number): Page {
    const rows = [...this.#rows.values()].filter(({ at }) => at > last);
    const barriers = this.#barriers.filter(({ at }) => at > last);
    const since = (list: readonly Row[]) => list.filter(({ at }) => at > last).map(({ object }) => object);
    return {
      barriers: barriers.map(({ id, rows: snapshot }) => ({ id, changed: since(snapshot) })),
      changed: rows.map(({ object }) => object),
      last: Math.max(last, rows.at(-1)?.at ?? 0, barriers.at(-1)?.at ?? 0),
    };
  }
  #change(over: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        over.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      over.addEventListener('abort', done, { once: true });
    });
  }
  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}
