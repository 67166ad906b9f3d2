/**
 * The whole state of a store as a value that JSON carries: for a successor in a live update (`dump`, `load`, `attach`), and as the first line of the
 * journal. Values, paths and tokens are latin1 strings, buffered bytes are base64.
 *
 *     dump(core) ──▶ State ──▶ load(newCore, state) ──▶ attach(newCore, state.connections, …) ──▶ serving
 *                              tree, domains, limits     rings mapped again, watches, transactions, buffered bytes
 */
import type { Connection, Line } from './connection.ts';
import type { Core } from './core.ts';
import type { Domain } from './domains.ts';
import type { Effect } from './edits.ts';
import { type Letter, Permissions } from './permissions.ts';
import { isQuotaName, type QuotaName } from './quotas.ts';
import type { Ring } from './rings.ts';
import { Transaction } from './transaction.ts';
import { nodesOf } from './tree.ts';

/** Letter, domid, which life of it (-1: nobody's). */
export type PermissionsRecord = readonly (readonly [string, number, number])[];
export type EffectRecord =
  | readonly ['c', path: string, depth: number, value: string, permissions: PermissionsRecord, implicit: boolean]
  | readonly ['v', path: string, value: string]
  | readonly ['p', path: string, permissions: PermissionsRecord]
  | readonly ['r', path: string];

export interface DomainRecord {
  readonly domid: number;
  readonly unique: number;
  readonly introduced: boolean;
  readonly shutDown: boolean;
  /** The remote port its ring is bound to. */
  readonly port: number;
  /** `unique` of the domain that it acts for. */
  readonly target?: number;
  readonly features?: number;
  readonly limits?: Readonly<Record<string, number>>;
}
export type WatchRecord = readonly [sent: string, token: string, depth: number | null];
export interface TransactionRecord {
  readonly id: number;
  /** It had met a conflict: its commit fails. */
  readonly doomed: boolean;
  readonly effects: readonly EffectRecord[];
  readonly seen: readonly (readonly [path: string, what: number, implicit: PermissionsRecord | null])[];
}
export interface ConnectionRecord {
  readonly id: number;
  readonly domid: number;
  readonly ring: boolean;
  readonly watches: readonly WatchRecord[];
  readonly nextTransaction?: number;
  readonly transactions?: readonly TransactionRecord[];
  /** Received and not answered. */
  readonly input?: string;
  /** Answered and not sent; its first `unfinished` bytes are the rest of a frame that was begun. */
  readonly output?: string;
  readonly unfinished?: number;
}
export interface State {
  readonly format: 'guesthouse-xenstore';
  readonly version: 1;
  readonly nextUnique: number;
  readonly quotas: Readonly<Record<string, number>>;
  readonly softQuotas: Readonly<Record<string, number>>;
  readonly special: readonly (readonly [string, PermissionsRecord])[];
  readonly domains: readonly DomainRecord[];
  /** Lists that nodes have, each once. */
  readonly permissions: readonly PermissionsRecord[];
  /** Parents before children; the last is an index into `permissions`. */
  readonly nodes: readonly (readonly [path: string, value: string, permissions: number])[];
  readonly connections: readonly ConnectionRecord[];
}

/** The state is from another version, or damaged. */
export class StateError extends Error {
  override readonly name = 'StateError';
}

// --- writing

export const permissionsRecord = (permissions: Permissions): PermissionsRecord =>
  permissions.entries.map((e) => [e.letter, e.domid, e.domain?.gone === false ? e.domain.unique : -1] as const);

export function effectRecord(effect: Effect): EffectRecord {
  const path = effect.path.text;
  if (effect.kind === 'create') {
    return ['c', path, effect.depth, effect.value, permissionsRecord(effect.permissions), effect.implicit];
  }
  if (effect.kind === 'value') return ['v', path, effect.value];
  return effect.kind === 'permissions' ? ['p', path, permissionsRecord(effect.permissions)] : ['r', path];
}

export function domainRecord(core: Core, domain: Domain): DomainRecord {
  const features = core.domains.features.get(domain.domid);
  return {
    domid: domain.domid,
    unique: domain.unique,
    introduced: domain.introduced,
    shutDown: domain.shutDown,
    port: core.portOf(domain),
    ...(domain.target && { target: domain.target.unique }),
    ...(features !== undefined && { features }),
    ...(domain.own.size > 0 && { limits: Object.fromEntries(domain.own) }),
  };
}

export const watchRecords = (connection: Connection): WatchRecord[] =>
  connection.watches.map((w) => [w.sent, w.token, w.depth ?? null]);

function connectionRecord(core: Core, connection: Connection): ConnectionRecord {
  const { output } = connection;
  return {
    id: connection.id,
    domid: connection.domain.domid,
    ring: connection.domain.connection === connection,
    watches: watchRecords(connection),
    nextTransaction: connection.nextTransaction,
    transactions: [...connection.transactions.values()].map((each) => transactionRecord(core, each)),
    input: connection.pending.toString('base64'),
    output: output.peek().toString('base64'),
    unfinished: output.unfinished,
  };
}

function transactionRecord(core: Core, transaction: Transaction): TransactionRecord {
  const doomed = !transaction.holds(core.edits.tree);
  return {
    id: transaction.id,
    doomed,
    effects: doomed ? [] : transaction.effects.map(effectRecord),
    seen: doomed
      ? []
      : [...transaction.seen].map((s) => [s.path.text, s.what, s.implicit ? permissionsRecord(s.implicit) : null]),
  };
}

/** Everything, except connections when `tree` is all that is wanted. */
export function dump(core: Core): State {
  const lists = new Map<Permissions, number>();
  const permissions: PermissionsRecord[] = [];
  const nodes: [string, string, number][] = [];
  for (const [path, node] of nodesOf(core.edits.tree.root)) {
    let index = lists.get(node.permissions);
    if (index === undefined) {
      index = permissions.push(permissionsRecord(node.permissions)) - 1;
      lists.set(node.permissions, index);
    }
    nodes.push([path, node.value, index]);
  }
  return {
    format: 'guesthouse-xenstore',
    version: 1,
    nextUnique: core.domains.nextUnique,
    quotas: core.quotas.hard,
    softQuotas: core.quotas.soft,
    special: [...core.special].map(([name, list]) => [name, permissionsRecord(list)] as const),
    domains: [...core.domains.all()].map((domain) => domainRecord(core, domain)),
    permissions,
    nodes,
    connections: [...core.connections]
      .filter((each) => each.state === 'open')
      .map((each) => connectionRecord(core, each)),
  };
}

// --- reading

/** Finds domains by their life while a state is read. */
export class Lives {
  readonly #byUnique = new Map<number, Domain>();
  /** Remote ports by domid. */
  readonly ports = new Map<number, number>();
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
    this.#byUnique.set(0, core.domains.zero);
  }
  permissions(record: PermissionsRecord): Permissions {
    return new Permissions(
      record.map(([letter, domid, unique]) => ({
        letter: letter as Letter,
        domid,
        domain: this.#byUnique.get(unique),
      })),
    );
  }
  /** Takes over a domain, new or changed; one that is gone is recorded as not introduced by `gone`. */
  domain(record: DomainRecord): Domain {
    const { domains } = this.#core;
    const domain = this.#byUnique.get(record.unique) ?? domains.add(record.domid, record.unique);
    this.#byUnique.set(record.unique, domain);
    domain.introduced = record.introduced;
    this.ports.set(record.domid, record.port);
    domain.shutDown = record.shutDown;
    domain.target = record.target === undefined ? undefined : this.#byUnique.get(record.target);
    if (record.features !== undefined) domains.features.set(record.domid, record.features);
    for (const [name, limit] of Object.entries(record.limits ?? {})) if (isQuotaName(name)) domain.own.set(name, limit);
    return domain;
  }
  effect(record: EffectRecord): Effect {
    const path = this.#core.path(record[1]);
    if (path === undefined) throw new StateError(`a path that cannot be: ${JSON.stringify(record[1])}`);
    switch (record[0]) {
      case 'c':
        return {
          kind: 'create',
          path,
          depth: record[2],
          value: record[3],
          permissions: this.permissions(record[4]),
          implicit: record[5],
        };
      case 'v':
        return { kind: 'value', path, value: record[2] };
      case 'p':
        return { kind: 'permissions', path, permissions: this.permissions(record[2]) };
      case 'r':
        return { kind: 'remove', path };
    }
  }
}

/** Fills a core that nobody uses yet with the tree, domains and limits of a state; connections are the next step, `attach`. */
export function load(core: Core, state: State): Lives {
  if (state.format !== 'guesthouse-xenstore' || state.version !== 1) {
    throw new StateError(`the state has format ${state.format} ${state.version}; guesthouse-xenstore 1 can be read`);
  }
  const lives = new Lives(core);
  // Twice: a target may come later than who acts for it.
  for (const record of state.domains) lives.domain(record);
  for (const record of state.domains) lives.domain(record);
  core.domains.nextUnique = state.nextUnique;
  for (const [name, limit] of Object.entries(state.quotas)) core.quotas.hard[name as QuotaName] = limit;
  for (const [name, limit] of Object.entries(state.softQuotas)) core.quotas.soft[name as QuotaName] = limit;
  for (const [name, list] of state.special) core.setSpecialPermissions(name, lives.permissions(list));
  const lists = state.permissions.map((each) => lives.permissions(each));
  core.empty();
  for (const [text, value, index] of state.nodes) {
    const path = core.path(text);
    const permissions = lists[index];
    if (path === undefined || permissions === undefined) throw new StateError(`a node that cannot be: ${text}`);
    if (text !== '/') core.edits.create(path, path.parts.length, value, permissions, false);
    else {
      const root = core.edits.tree.root;
      core.edits.setValue(path, root, value);
      core.edits.setPermissions(path, root, permissions);
    }
  }
  return lives;
}

export interface Lines {
  /** Domain 0's own ring, when it had one. */
  readonly zero?: (connection: Connection) => Ring;
  /** The line of a socket that stayed open; undefined when it did not. */
  readonly socket?: (record: ConnectionRecord) => Line | ((connection: Connection) => Line) | undefined;
}

/** Connects again: maps rings, sets watches and transactions, and goes on with what was buffered. Domains that died meanwhile are released. */
export function attach(core: Core, lives: Lives, records: readonly ConnectionRecord[], lines: Lines): void {
  const rings = new Map(records.filter((each) => each.ring).map((each) => [each.domid, each]));
  const started: Ring[] = [];
  const { zero } = core.domains;
  if (lines.zero !== undefined) {
    const connection = core.attachZero(lines.zero);
    restore(core, lives, connection, rings.get(0));
    started.push(connection.line as Ring);
  }
  for (const domain of core.domains.introduced()) {
    const connection = core.mapAgain(domain, lives.ports.get(domain.domid) ?? 0);
    if (connection === undefined) continue;
    restore(core, lives, connection, rings.get(domain.domid));
    started.push(connection.line as Ring);
  }
  for (const record of records) {
    const line = record.ring ? undefined : lines.socket?.(record);
    if (line !== undefined) restore(core, lives, core.connect(line, zero), record);
  }
  for (const ring of started) ring.start(core.features);
  for (const connection of core.connections) core.turns.enter(connection);
}

function restore(core: Core, lives: Lives, connection: Connection, record: ConnectionRecord | undefined): void {
  if (record === undefined) return;
  for (const [sent, token, depth] of record.watches) {
    const path = core.paths.resolve(sent, connection.domain.home, 0);
    if (path !== undefined) core.watches.add(connection, path, sent, token, depth ?? undefined);
  }
  connection.nextTransaction = record.nextTransaction ?? 1;
  for (const each of record.transactions ?? []) restoreTransaction(core, lives, connection, each);
  if (record.input) connection.restoreInput(Buffer.from(record.input, 'base64'));
  if (record.output) connection.output.restore(Buffer.from(record.output, 'base64'), record.unfinished ?? 0);
}

function restoreTransaction(core: Core, lives: Lives, connection: Connection, record: TransactionRecord): void {
  const transaction = new Transaction(record.id, connection.domain, core.edits.tree);
  if (record.doomed) transaction.doom();
  for (const [text, what, implicit] of record.seen) {
    transaction.restoreSeen(core.path(text), what, implicit === null ? undefined : lives.permissions(implicit));
  }
  for (const each of record.effects) {
    const effect = lives.effect(each);
    core.noteChange(transaction, effect);
    transaction.edits.apply(effect);
  }
  connection.transactions.set(record.id, transaction);
  core.openTransactions++;
}
