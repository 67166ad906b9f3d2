/** Memory promised to VMs that run or start: never more than the host has. */
import { type VmSpec, xenopsErrors } from '../contracts/xenops.ts';

export class Reservations {
  readonly #of = new Map<string, number>();
  readonly #overhead: (spec: VmSpec) => number;
  readonly #total: number;
  #committed = 0;

  /** `total`: bytes that the host has for guests. */
  constructor(total: number, overhead: (spec: VmSpec) => number) {
    this.#total = total;
    this.#overhead = overhead;
  }
  get committed(): number {
    return this.#committed;
  }
  get total(): number {
    return this.#total;
  }
  /** Promises the VM what its description needs, instead of what it was promised before. Not_enough_memory. */
  reserve(spec: VmSpec): void {
    const needed = this.#needs(spec);
    const free = this.#total - this.#committed + (this.#of.get(spec.id) ?? 0);
    if (needed > free) {
      throw xenopsErrors.make('Not_enough_memory', {
        vm: spec.id,
        needed,
        free: Math.max(0, free),
        total: this.#total,
      });
    }
    this.#set(spec.id, needed);
  }
  /** Promises the greater of what both need: while one replaces the other. Not_enough_memory. */
  reserveBoth(a: VmSpec, b: VmSpec): void {
    this.reserve(this.#needs(a) >= this.#needs(b) ? a : b);
  }
  /** Notes what a guest takes that runs already, whether it fits or not. */
  adopt(spec: VmSpec): void {
    this.#set(spec.id, this.#needs(spec));
  }
  release(vm: string): void {
    this.#set(vm, 0);
  }
  #needs(spec: VmSpec): number {
    return spec.memory.staticMax + this.#overhead(spec);
  }
  #set(vm: string, bytes: number): void {
    this.#committed += bytes - (this.#of.get(vm) ?? 0);
    if (bytes === 0) this.#of.delete(vm);
    else this.#of.set(vm, bytes);
  }
}
