/**
 * What rings need of a hypervisor, so that a page in memory and a fake bell do as well: `xen-ring-host.ts` is Xen,
 * `fake-ring-host.ts` needs nothing.
 */

/** A domain as the hypervisor sees it. */
export type DomainState = 'running' | 'shutdown' | 'dying' | 'gone';

export interface RingMemory {
  /** The page, 4096 bytes; nobody may hold it after `unmap`. */
  readonly memory: ArrayBuffer;
  unmap(): void;
}

export interface RingHost {
  /** Domain whose kernel this program runs on, and the port of its own ring; undefined where there is none. */
  readonly own: { readonly domid: number; readonly port: number } | undefined;
  /** Maps the ring's page of `domid`. Throws when it cannot. */
  map(domid: number): RingMemory;
  /** Binds an event channel to `port` of `domid`; answers the local port. Throws when it cannot. */
  bind(domid: number, port: number): number;
  unbind(local: number): void;
  /** Rings; false when the other end is gone. */
  notify(local: number): boolean;
  stateOf(domid: number): DomainState;
  /**
   * Begins to hear: `rung` for each local port that was rung, `domainsChanged` when some domain was shut down or is gone.
   * A port that is rung again while `rung` runs is told again.
   */
  listen(rung: (local: number) => void, domainsChanged: () => void): void;
  close(): void;
}
