/**
 * The database on the bus. The host sees the whole tree; any other domain only what is below `/dom-store/UUID`, as if that were all, and
 * within limits. A call is answered when its change is durable; changes are made in the order of the calls.
 */
import { type ComCitrixXenclientDbServer, serveComCitrixXenclientDb } from '../bus/generated/db-server.ts';
import { type BusCaller, BusError, type BusServer, busErrors } from '../bus/interface.ts';
import type { Change, Store } from '../store/store.ts';
import type { Files } from './files.ts';
import { namesOf, PathError, pathOf } from './path.ts';
import type { Sender } from './senders.ts';
import { Tree, TreeError, table } from './tree.ts';

export const databaseName = 'com.citrix.xenclient.db';
/** What one domain may keep. */
export interface DomainLimits {
  readonly nodes: number;
  readonly characters: number;
}
export const usualLimits: DomainLimits = { nodes: 4096, characters: 1 << 20 };

export interface DatabaseParts {
  readonly store: Store;
  /** Who a connection on the bus is. */
  readonly senderOf: (name: string) => Promise<Sender>;
  readonly files: () => Files;
  readonly limits: DomainLimits;
  /** The store took a change no more: what is in memory is not what is on the disk. */
  readonly lost: (error: Error) => void;
}
export class Database {
  readonly #parts: DatabaseParts;
  readonly #tree: Tree;
  #revision: number;

  static async open(parts: DatabaseParts): Promise<Database> {
    const rows: (readonly [string, string])[] = [];
    for await (const row of parts.store.load(table)) rows.push(row);
    return new Database(parts, Tree.load(rows), await parts.store.revision());
  }
  constructor(parts: DatabaseParts, tree: Tree, revision: number) {
    this.#parts = parts;
    this.#tree = tree;
    this.#revision = revision;
  }
  serve(bus: BusServer): () => void {
    return serveComCitrixXenclientDb(bus, '/', this.calls());
  }
  /** What the interface does. */
  calls(): ComCitrixXenclientDbServer {
    const tree = this.#tree;
    const { files } = this.#parts;
    const at = <T>(path: string, caller: BusCaller, work: (full: string, sender: Sender) => T | Promise<T>) =>
      this.#at(path, caller, work);
    const change = (path: string, caller: BusCaller, how: (full: string) => Change[], adds = 0) =>
      at(path, caller, (full, sender) => {
        if (adds > 0 && sender.domid !== 0) this.#refuseMore(pathOf(homeOf(sender)), full.length + adds);
        return this.#change(full, () => how(full));
      });
    return {
      read: (path, caller) =>
        at(path, caller, (full) => {
          const file = files().at(full);
          return file === undefined ? tree.read(full) : `file:${file}`;
        }),
      readBinary: (path, caller) => at(path, caller, (full) => files().content(full)),
      dump: (path, caller) => at(path, caller, (full) => tree.dump(full)),
      list: (path, caller) => at(path, caller, (full) => [...new Set([...tree.list(full), ...files().list(full)])]),
      exists: (path, caller) => at(path, caller, (full) => tree.exists(full) || files().has(full)),
      write: (path, value, caller) => change(path, caller, (full) => tree.write(full, value), value.length + 1),
      inject: (path, value, caller) => change(path, caller, (full) => tree.inject(full, value), value.length + 1),
      rm: (path, caller) => change(path, caller, (full) => tree.rm(full)),
    };
  }
  /** Does the work at the path as its caller means it. */
  async #at<T>(path: string, caller: BusCaller, work: (full: string, sender: Sender) => T | Promise<T>): Promise<T> {
    try {
      const sender = await this.#parts.senderOf(caller.sender);
      return await work(pathOf([...homeOf(sender), ...namesOf(path)]), sender);
    } catch (error) {
      if (error instanceof TreeError || error instanceof PathError)
        throw new BusError(busErrors.failed, error.message, { cause: error });
      throw error;
    }
  }
  #refuseMore(home: string, adds: number): void {
    const { nodes, characters } = this.#tree.size(home);
    const { limits } = this.#parts;
    if (nodes < limits.nodes && characters + adds <= limits.characters) return;
    const why = `a domain keeps at most ${limits.nodes} nodes and ${limits.characters} characters; remove some first`;
    throw new BusError(busErrors.limitsExceeded, `this domain has ${nodes} nodes and ${characters} characters: ${why}`);
  }
  async #change(path: string, change: () => Change[]): Promise<void> {
    this.#parts.files().refuseChange(path);
    const changes = change();
    if (changes.length === 0) return;
    try {
      await this.#parts.store.commit(++this.#revision, changes);
    } catch (error) {
      this.#parts.lost(error as Error);
      throw error;
    }
  }
}
/** Names of the node that a sender takes for the root. */
function homeOf({ domid, uuid }: Sender): string[] {
  if (domid === 0) return [];
  if (uuid === null)
    throw new BusError(busErrors.accessDenied, `domain ${domid} has no uuid that is known, so no place here`);
  return ['dom-store', uuid];
}
