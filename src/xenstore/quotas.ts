/**
 * Limits for unprivileged domains, which bound counts and memory. A limit is reached when the new value would equal it; 0 turns it off.
 * A soft limit is only logged.
 */
export const quotaDefaults = {
  /** Nodes that a domain owns. */
  nodes: 1000,
  watches: 128,
  /** Open transactions. */
  transactions: 10,
  /** Replies and events that the domain has not taken, above which its requests wait. */
  outstanding: 20,
  /** Nodes touched in one transaction. */
  'transaction-nodes': 1024,
  /** Bytes: nodes, watches, transactions, and what is buffered for the domain. */
  memory: 2560 * 1024,
  /** Entries of a permission list. */
  'node-permissions': 5,
  /** Bytes of a path after `/local/domain/<n>/`. */
  'path-max': 2048,
  /** Bytes of a node: header, permissions, value and names of children. */
  'node-size': 2048,
} as const;
export type QuotaName = keyof typeof quotaDefaults;
export const quotaNames = Object.keys(quotaDefaults) as QuotaName[];
export const isQuotaName = (name: string): name is QuotaName => Object.hasOwn(quotaDefaults, name);
export const softDefaults: Partial<Record<QuotaName, number>> = { memory: 2048 * 1024 };

/** The limits that hold where a domain has none of its own. */
export class Quotas {
  readonly hard: Record<QuotaName, number> = { ...quotaDefaults };
  readonly soft: Partial<Record<QuotaName, number>> = { ...softDefaults };

  /** Told when a domain passes a soft limit. */
  passed: ((domid: number, value: number) => void) | undefined;

  constructor(hard: Partial<Record<QuotaName, number>> = {}, soft: Partial<Record<QuotaName, number>> = {}) {
    Object.assign(this.hard, hard);
    Object.assign(this.soft, soft);
  }
}

/** Bytes that a node is charged beside its name, value and permissions, as C's node header is. */
export const nodeOverhead = 64;
/** Bytes that a permission entry is charged. */
export const entrySize = 4;
/** Bytes that a watch is charged beside its path and token. */
export const watchOverhead = 96;
/** Bytes that a node touched in a transaction is charged beside its path. */
export const touchOverhead = 64;
