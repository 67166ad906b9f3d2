/**
 * The store itself: one tree, the domains and connections that use it, and the rules between them. It knows no sockets, rings, files or
 * timers of its own; those are handed in. Everything happens on one thread, a request at a time, in turns (`turns.ts`).
 *
 *     transport ─▶ Connection ─▶ Turns ─▶ Core.serve ─▶ operations[type].run ─▶ Edits ─▶ Tree
 *                      ▲                                        │                  └──▶ Journal, when there is one
 *                      └───────── events ◀── Watches.fire ◀─────┘
 *
 * For a transport: `connect` makes a connection that speaks as domain 0 (a socket); rings are mapped by INTRODUCE through `Rings`, domain 0's
 * own by `attachZero`. `died` and `shutDown` say what the hypervisor says, any number of times, for any number.
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { type ErrorName, feature } from '../wire/xenstore.ts';
import { Connection, type Line, type Server } from './connection.ts';
import { transactionEnd } from './connection-operations.ts';
import type { LiveUpdate } from './control.ts';
import { Credit } from './credit.ts';
import { type Domain, Domains } from './domains.ts';
import { charge, Edits, type Effect } from './edits.ts';
import { type Operation, operations } from './operations.ts';
import { type Path, Paths } from './path.ts';
import { type Entry, Permissions } from './permissions.ts';
import { type QuotaName, Quotas } from './quotas.ts';
import { Request } from './request.ts';
import { noRings, type Ring, type Rings } from './rings.ts';
import { Stalls } from './stalls.ts';
import type { Transaction } from './transaction.ts';
import { nodesOf, type Serials, Tree, type TreeNode } from './tree.ts';
import { Turns } from './turns.ts';
import { Watches } from './watches.ts';

/** Where what must survive a kill is written, before anything is answered. */
export interface Journal {
  effect(effect: Effect): void;
  /** A ring's watches have changed. */
  watches(connection: Connection): void;
  /** A domain was introduced, changed or (gone) released. */
  domain(domain: Domain): void;
  special(name: string, permissions: Permissions): void;
  /** Makes durable what was told since the last time. */
  flush(): void;
}

export interface CoreOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** Runs a function in a later turn of the event loop, after I/O. */
  readonly later: (f: () => void) => void;
  /** Answers of one turn of the event loop go out together while several peers ask at once. */
  readonly together?: boolean;
  readonly rings?: Rings;
  readonly quotas?: Partial<Record<QuotaName, number>>;
  /** CONTROL live-update; refused without. */
  readonly liveUpdate?: LiveUpdate;
  /** CONTROL logfile: a log on the file with this path; throws what the file system says. Refused without. */
  readonly openLogFile?: (path: string) => RequestLog;
  /** Milliseconds after which a guest that reads nothing is given up; 0 is never. */
  readonly stallMs?: number;
}

/** Where requests are logged. */
export interface RequestLog {
  readonly log: Log;
  close(): void;
}

const specialNames = ['@introduceDomain', '@releaseDomain'] as const;
type SpecialName = (typeof specialNames)[number];

export class Core implements Server {
  readonly log: Log;
  readonly quotas: Quotas;
  readonly domains: Domains;
  readonly watches = new Watches();
  readonly paths = new Paths();
  readonly turns: Turns;
  readonly credit: Credit;
  readonly serials: Serials = { owner: 0, generation: 0 };
  readonly edits: Edits;
  /** Feature bits that rings are offered. */
  readonly features: number = feature.reconnection | feature.error | feature.watchDepth | feature.anyDomain;
  readonly liveUpdate: LiveUpdate | undefined;
  readonly connections = new Set<Connection>();
  openTransactions = 0;
  /** Requests are logged. */
  accessLog = false;
  readonly #openLogFile: CoreOptions['openLogFile'];
  #requestLog: RequestLog;
  readonly #rings: Rings;
  readonly #stalls: Stalls;
  readonly #special = new Map<SpecialName, Permissions>();
  readonly #request: Request;
  #journal: Journal | undefined;
  #nextConnection = 1;

  constructor(options: CoreOptions) {
    this.log = options.log;
    this.liveUpdate = options.liveUpdate;
    this.#openLogFile = options.openLogFile;
    this.#requestLog = { log: options.log, close: () => undefined };
    this.quotas = new Quotas(options.quotas);
    this.quotas.passed = (domid, bytes) => this.log.warn('a domain passed its soft limit of memory', { domid, bytes });
    this.#rings = options.rings ?? noRings;
    this.domains = new Domains(this.quotas, this.#rings);
    this.turns = new Turns(options.later, (connection) => this.#stalls.left(connection), {
      together: options.together ?? false,
    });
    this.credit = new Credit(options.clock);
    this.#stalls = new Stalls(options.clock, options.stallMs);
    this.#request = new Request(this.paths);
    const zero = { letter: 'n', domid: 0, domain: this.domains.zero } as const;
    const nobody = new Permissions([zero]);
    for (const name of specialNames) this.#special.set(name, nobody);
    this.edits = new Edits(new Tree(this.serials, nobody), charge);
    for (const depth of [1, 2]) this.edits.create(this.path('/tool/xenstored'), depth, '', nobody, false);
    this.domains.zero.usage.nodes++;
  }

  // --- connections

  /** A peer with domain 0's rights. */
  connect(line: Line | ((connection: Connection) => Line), domain: Domain = this.domains.zero): Connection {
    const connection = new Connection(this.#nextConnection++, domain, this, line);
    this.connections.add(connection);
    return connection;
  }
  /** Domain 0's own ring. */
  attachZero(line: (connection: Connection) => Ring): Connection {
    const connection = this.connect(line);
    this.domains.zero.connection = connection;
    this.domains.zero.introduced = true;
    return connection;
  }
  /** Answers one request. */
  serve(
    connection: Connection,
    type: number,
    requestId: number,
    transactionId: number,
    bytes: Buffer,
    from: number,
    to: number,
  ): void {
    const r = this.#request;
    r.connection = connection;
    r.type = type;
    r.requestId = requestId;
    r.transactionId = transactionId;
    r.bytes = bytes;
    r.from = from;
    r.to = to;
    r.transaction = undefined;
    r.edits = this.edits;
    const operation = operations[type];
    if (this.accessLog)
      this.#requestLog.log.info('request', {
        connection: connection.id,
        domid: connection.domain.domid,
        type: operation?.name ?? type,
      });
    try {
      const error = this.#run(operation, r);
      if (error !== undefined) r.fail(error);
    } catch (error) {
      this.log.error('a request failed', { type: operation?.name, error: (error as Error).stack ?? String(error) });
      r.fail('EIO');
    }
  }
  #run(operation: Operation | undefined, r: Request): ErrorName | undefined {
    if (operation === undefined) return 'ENOSYS';
    const domain = r.connection.domain;
    if (!domain.privileged && operation.privileged) return 'EACCES';
    if (r.transactionId !== 0 && operation.transaction) {
      const transaction = r.connection.transactions.get(r.transactionId);
      if (transaction === undefined) return 'ENOENT';
      r.transaction = transaction;
      r.edits = transaction.edits;
      const ends = operation.run === transactionEnd;
      if (!ends && domain.exceeds('memory', domain.usage.memory)) return 'ENOMEM';
    }
    return operation.run(this, r);
  }
  /** Requests are logged on this file from now on. Throws what the file system says; then they are logged where they were. */
  logTo(path: string): void {
    if (this.#openLogFile === undefined) throw Object.assign(new Error('no files here'), { code: 'ENOSYS' });
    const next = this.#openLogFile(path);
    this.#requestLog.close();
    this.#requestLog = next;
  }
  /** Drops the connection's watches and transactions. */
  forget(connection: Connection): void {
    for (const watch of connection.watches) this.watches.remove(watch);
    connection.watches = [];
    for (const transaction of connection.transactions.values()) this.endTransaction(connection, transaction);
  }
  endTransaction(connection: Connection, transaction: Transaction): void {
    if (!connection.transactions.delete(transaction.id)) return;
    this.openTransactions--;
    transaction.end();
  }
  /** The connection is over: its peer hung up. */
  disconnect(connection: Connection): void {
    connection.close();
    this.turns.leave(connection);
    this.#stalls.forget(connection);
    this.connections.delete(connection);
  }

  // --- changes

  /** A node was changed: tells watches, now or at the transaction's commit. */
  changed(
    r: Request,
    path: Path,
    node: Permissions,
    before: Permissions | undefined,
    removed: TreeNode | undefined,
    parent?: Permissions,
  ): void {
    if (r.transaction !== undefined) {
      r.transaction.changes.push({ path, node, before, removed, parent: parent ?? this.#parentOf(r.edits.tree, path) });
      return;
    }
    if (this.watches.count > 0) {
      this.watches.fire({ path, node, before, removed, parent: parent ?? this.#parentOf(r.edits.tree, path) });
    }
    if (this.openTransactions > 0) this.credit.spend(r.connection.domain, this.openTransactions);
  }
  path(text: string): Path {
    return this.paths.resolve(text, '/', 0) as Path;
  }
  /** As `changed`, for an effect of a transaction that is about to be made again. */
  noteChange(transaction: Transaction, effect: Effect): void {
    const { path } = effect;
    const { tree } = transaction.edits;
    const node = tree.find(path);
    if (effect.kind === 'create' && (effect.implicit || effect.depth < path.parts.length)) return;
    const now = 'permissions' in effect ? effect.permissions : node?.permissions;
    if (now === undefined) return;
    const before = effect.kind === 'permissions' ? node?.permissions : undefined;
    const removed = effect.kind === 'remove' ? node : undefined;
    transaction.changes.push({ path, node: now, before, removed, parent: this.#parentOf(tree, path) });
  }
  /** Takes away all nodes but the root. */
  empty(): void {
    for (const [name, node] of [...(this.edits.tree.root.children ?? [])])
      this.edits.remove(this.path(`/${name}`), node);
  }
  #parentOf(tree: Tree, path: Path): Permissions | undefined {
    let at: TreeNode | undefined = tree.root;
    for (let i = 0; i < path.parts.length - 1 && at !== undefined; i++) at = at.child(path.parts[i] as string);
    return at?.permissions;
  }

  // --- domains

  /** Throws `RingError` when its ring cannot be mapped. */
  introduce(domid: number, gfn: bigint, port: number): void {
    const known = this.domains.find(domid);
    if (known?.introduced && known.connection !== undefined) {
      (known.connection.line as Ring).rebind(port);
      known.connection.reset();
      (known.connection.line as Ring).start(this.featuresOf(domid));
      this.journal?.domain(known);
      this.journal?.watches(known.connection);
      return;
    }
    const domain = known ?? this.domains.add(domid);
    try {
      domain.connection = this.connect((connection) => this.#rings.map(domid, gfn, port, connection), domain);
    } catch (error) {
      if (known === undefined) this.domains.forget(domain);
      throw error;
    }
    domain.introduced = true;
    this.journal?.domain(domain);
    this.#fireSpecial('@introduceDomain', domid);
    (domain.connection.line as Ring).start(this.featuresOf(domid));
  }
  /** Maps the ring of a domain that a predecessor had introduced; when it cannot be, the domain is gone and is released. */
  mapAgain(domain: Domain, port: number): Connection | undefined {
    try {
      domain.connection = this.connect((connection) => this.#rings.map(domain.domid, 0n, port, connection), domain);
      return domain.connection;
    } catch (error) {
      this.log.warn('a domain is gone', { domid: domain.domid, error: String(error) });
      this.release(domain);
      return undefined;
    }
  }
  /** The port that a domain's ring is bound to. */
  portOf(domain: Domain): number {
    return (domain.connection?.line as Ring | undefined)?.port ?? 0;
  }
  featuresOf(domid: number): number {
    return this.domains.features.get(domid) ?? this.features;
  }
  /** Ends this life of a domain: its connection, its nodes, its rights. May be called again. */
  release(domain: Domain): void {
    if (domain.gone || domain === this.domains.zero) return;
    const { connection } = domain;
    domain.connection = undefined;
    this.domains.forget(domain);
    this.credit.forget(domain);
    this.journal?.domain(domain);
    if (connection !== undefined) this.disconnect(connection);
    this.#removeOwned(domain);
    this.#fireSpecial('@releaseDomain', domain.domid);
  }
  /** The hypervisor has no such domain any more. */
  died(domid: number): void {
    const domain = this.domains.find(domid);
    if (domain !== undefined) this.turns.run(() => this.release(domain));
  }
  /** The domain has shut down; told once until RESUME. */
  shutDown(domid: number): void {
    const domain = this.domains.find(domid);
    if (!domain?.introduced || domain.shutDown) return;
    domain.shutDown = true;
    this.journal?.domain(domain);
    this.turns.run(() => this.#fireSpecial('@releaseDomain', domid));
  }
  #fireSpecial(name: SpecialName, domid: number): void {
    this.watches.fireSpecial(name, domid, this.#special.get(name) as Permissions);
  }
  /** Nodes of a domain that is gone go with everything below them; the root becomes domain 0's. */
  #removeOwned(domain: Domain): void {
    if (domain.usage.nodes === 0) return;
    const tops: string[] = [];
    let inside = '';
    const { tree } = this.edits;
    if (tree.root.permissions.owner === domain) {
      const [first, ...rest] = tree.root.permissions.entries as readonly [Entry, ...Entry[]];
      const zero = { letter: first.letter, domid: 0, domain: this.domains.zero };
      this.edits.setPermissions(this.path('/'), tree.root, new Permissions([zero, ...rest]));
    }
    for (const [path, node] of nodesOf(tree.root)) {
      if (inside !== '' && path.startsWith(inside)) continue;
      if (node.permissions.owner !== domain || path === '/') continue;
      tops.push(path);
      inside = `${path}/`;
    }
    for (const text of tops) {
      const path = this.path(text);
      const node = tree.find(path);
      if (node === undefined) continue;
      const parent = this.#parentOf(tree, path);
      this.edits.remove(path, node);
      this.watches.fire({ path, node: node.permissions, before: undefined, removed: node, parent });
    }
  }

  // --- special paths

  /** Who may hear of it; undefined for a name that is not one. `@releaseDomain/<domid>` is `@releaseDomain`. */
  specialPermissions(name: string): Permissions | undefined {
    return this.#special.get(name.replace(/\/\d+$/, '') as SpecialName);
  }
  setSpecialPermissions(name: string, permissions: Permissions): boolean {
    if (!this.#special.has(name as SpecialName)) return false;
    this.#special.set(name as SpecialName, permissions);
    this.journal?.special(name, permissions);
    return true;
  }
  get special(): Iterable<readonly [string, Permissions]> {
    return this.#special;
  }

  // --- life

  get journal(): Journal | undefined {
    return this.#journal;
  }
  /** From now on every change is told to `journal`, and flushed before it is answered. */
  set journal(journal: Journal | undefined) {
    this.#journal = journal;
    this.edits.record = journal && ((effect) => journal.effect(effect));
    this.domains.added = journal && ((domain) => journal.domain(domain));
    this.turns.beforeFlush = journal && (() => journal.flush());
  }
  /** Ends every connection; the tree is left. */
  close(): void {
    for (const connection of this.connections) this.disconnect(connection);
    this.#stalls.close();
    this.credit.close();
    this.#requestLog.close();
  }
}
