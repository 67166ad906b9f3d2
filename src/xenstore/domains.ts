/**
 * The domains that the store knows. A number is not an identity: each life of a domain is a `Domain` of its own, to which nodes,
 * permissions, watches and counts belong, and a new domain with the same number inherits nothing.
 *
 *     (unknown) ──named in permissions, exists──▶ known ──INTRODUCE──▶ introduced ──shut down──▶ introduced, shutDown
 *         ▲                                         │                      ▲  │                     │
 *         │                                         │                      └──┼───────RESUME────────┘
 *         └────────────── gone: its nodes go, its entries are void ◀──────────┘  RELEASE, died
 */
import type { Connection } from './connection.ts';
import type { QuotaName, Quotas } from './quotas.ts';
import type { Rings } from './rings.ts';

/** What a domain uses; `nodes` and `memory` are of the committed tree, watches and open transactions. */
export interface Usage {
  nodes: number;
  watches: number;
  transactions: number;
  /** Bytes. */
  memory: number;
}

/** One life of a domain. */
export class Domain {
  readonly domid: number;
  /** Where relative paths begin. */
  readonly home: string;
  /** Which life: grows, never used again. */
  readonly unique: number;
  /** May do everything, and no limit holds: domain 0. */
  readonly privileged: boolean;
  readonly usage: Usage = { nodes: 0, watches: 0, transactions: 0, memory: 0 };
  /** The domain that this one acts for: a stub domain's guest. */
  target: Domain | undefined;
  introduced = false;
  shutDown = false;
  /** Its ring's connection. */
  connection: Connection | undefined;
  gone = false;
  /** Limits of its own. */
  readonly own = new Map<QuotaName, number>();
  /** Writes that it may still make while others have transactions open; below 0 it is not served. */
  credit = 0;
  /** The soft limit was passed and logged. */
  warned = false;
  /** The most that it ever used. */
  readonly maxima: Usage = { nodes: 0, watches: 0, transactions: 0, memory: 0 };
  readonly #quotas: Quotas;

  constructor(domid: number, unique: number, privileged: boolean, quotas: Quotas) {
    this.domid = domid;
    this.home = `/local/domain/${domid}`;
    this.unique = unique;
    this.privileged = privileged;
    this.#quotas = quotas;
  }
  /** The limit that holds; 0 is none. */
  limit(name: QuotaName): number {
    if (this.privileged) return 0;
    return this.own.get(name) ?? this.#quotas.hard[name];
  }
  /** Whether `value` is over what is allowed. */
  exceeds(name: QuotaName, value: number): boolean {
    const limit = this.limit(name);
    if (name === 'memory') this.#watchSoft(value);
    return limit > 0 && value >= limit;
  }
  /** Keeps the highest counts. */
  note(): void {
    const { usage, maxima } = this;
    if (usage.nodes > maxima.nodes) maxima.nodes = usage.nodes;
    if (usage.watches > maxima.watches) maxima.watches = usage.watches;
    if (usage.transactions > maxima.transactions) maxima.transactions = usage.transactions;
    if (usage.memory > maxima.memory) maxima.memory = usage.memory;
  }
  resetMaxima(): void {
    Object.assign(this.maxima, this.usage);
  }
  #watchSoft(bytes: number): void {
    const soft = this.#quotas.soft.memory ?? 0;
    const over = !this.privileged && soft > 0 && bytes >= soft;
    if (over && !this.warned) this.#quotas.passed?.(this.domid, bytes);
    this.warned = over;
  }
}

export class Domains {
  /** Domain 0: sockets, and its own ring. */
  readonly zero: Domain;
  readonly #known = new Map<number, Domain>();
  readonly #quotas: Quotas;
  readonly #rings: Rings;
  /** Feature bits for domains that are not introduced yet, or are. */
  readonly features = new Map<number, number>();
  #nextUnique = 1;
  /** Told of each new life. */
  added: ((domain: Domain) => void) | undefined;

  constructor(quotas: Quotas, rings: Rings) {
    this.#quotas = quotas;
    this.#rings = rings;
    this.zero = new Domain(0, 0, true, quotas);
    this.#known.set(0, this.zero);
  }
  /** Who lives under this number now, introduced or not. */
  find(domid: number): Domain | undefined {
    return this.#known.get(domid);
  }
  /** As `find`; a domain that exists and was not heard of becomes known. */
  identify(domid: number): Domain | undefined {
    return this.#known.get(domid) ?? (this.#rings.exists(domid) ? this.add(domid) : undefined);
  }
  /** A new life under this number. */
  add(domid: number, unique?: number): Domain {
    const domain = new Domain(domid, unique ?? this.#nextUnique, false, this.#quotas);
    this.#nextUnique = Math.max(this.#nextUnique, domain.unique + 1);
    this.#known.set(domid, domain);
    this.added?.(domain);
    return domain;
  }
  /** This life is over; its number is free. */
  forget(domain: Domain): void {
    domain.gone = true;
    domain.introduced = false;
    domain.own.clear();
    this.features.delete(domain.domid);
    if (this.#known.get(domain.domid) === domain) this.#known.delete(domain.domid);
    for (const other of this.#known.values()) if (other.target === domain) other.target = undefined;
  }
  /** Every domain that is known, domain 0 included. */
  all(): Iterable<Domain> {
    return this.#known.values();
  }
  /** Domains with a ring, domain 0 not among them. */
  introduced(): Domain[] {
    return [...this.#known.values()].filter((d) => d.introduced && d !== this.zero);
  }
  get nextUnique(): number {
    return this.#nextUnique;
  }
  set nextUnique(unique: number) {
    this.#nextUnique = Math.max(this.#nextUnique, unique);
  }
}
