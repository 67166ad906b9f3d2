/**
 * How often an unprivileged domain may write while others have transactions open. Each write then costs one; what a domain has comes back with
 * time. A domain in debt is not served until it is out of it, so that a guest writing in a loop cannot make every commit of others fail.
 */
import type { Clock } from '../base/clock.ts';
import type { Domain } from './domains.ts';

/** Writes per second that all domains get together. */
const rate = 200;
/** Writes that a domain may save up. */
const burst = 10;

export class Credit {
  readonly #clock: Clock;
  readonly #inDebt = new Map<Domain, () => void>();
  readonly #since = new WeakMap<Domain, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }
  /** A write was made while `open` transactions are open. */
  spend(domain: Domain, open: number): void {
    if (domain.privileged || open === 0) return;
    this.#earn(domain);
    domain.credit--;
    if (domain.credit < 0 && !this.#inDebt.has(domain)) this.#wait(domain);
  }
  /** The domain is gone. */
  forget(domain: Domain): void {
    this.#inDebt.get(domain)?.();
    this.#inDebt.delete(domain);
  }
  /** Lets everybody go on; for the end of the store. */
  close(): void {
    for (const cancel of this.#inDebt.values()) cancel();
    this.#inDebt.clear();
  }
  #earn(domain: Domain): void {
    const now = this.#clock.now();
    const since = this.#since.get(domain);
    const share = rate / Math.max(1, this.#inDebt.size);
    domain.credit = since === undefined ? burst : Math.min(burst, domain.credit + ((now - since) / 1000) * share);
    this.#since.set(domain, now);
  }
  #wait(domain: Domain): void {
    const share = rate / (this.#inDebt.size + 1);
    const cancel = this.#clock.after(Math.ceil((-domain.credit / share) * 1000), () => {
      this.#inDebt.delete(domain);
      this.#earn(domain);
      if (domain.credit < 0 && !domain.gone) this.#wait(domain);
      else domain.connection?.drained();
    });
    this.#inDebt.set(domain, cancel);
  }
}
