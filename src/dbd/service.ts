/**
 * The database on the bus. The host sees the whole tree; any other domain only what is below `/dom-store/UUID`, as if that were all, and
 * within limits. A call is answered when its change is durable; changes are made in the order of the calls.
 */
import type { BusConnection } from '../bus/connection.ts';
import { type BusCaller, BusError, type BusHandlers, type BusInterface, busErrors, method } from '../bus/interface.ts';
import type { Change, Store } from '../store/store.ts';
import type { Files } from './files.ts';
import { namesOf, PathError, pathOf } from './path.ts';
import type { Sender } from './senders.ts';
import { Tree, TreeError, table } from './tree.ts';

export const databaseName = 'com.citrix.xenclient.db';
export const databaseInterface: BusInterface = {
  name: databaseName,
  methods: {
    read: method('path:s', 'value:s'),
    read_binary: method('path:s', 'value:ay'),
    write: method('path:s value:s'),
    dump: method('path:s', 'value:s'),
    inject: method('path:s value:s'),
    list: method('path:s', 'value:as'),
    exists: method('path:s', 'ex:b'),
    rm: method('path:s'),
  },
};
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
type Work = (path: string, value: string) => readonly unknown[] | Promise<readonly unknown[]>;

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
  serve(bus: BusConnection): () => void {
    return bus.serve('/', databaseInterface, this.handlers());
  }
  handlers(): BusHandlers {
    const tree = this.#tree;
    const { files } = this.#parts;
    const work: Readonly<Record<string, Work>> = {
      read: (path) => {
        const file = files().at(path);
        return [file === undefined ? tree.read(path) : `file:${file}`];
      },
      read_binary: (path) => [files().content(path)],
      dump: (path) => [tree.dump(path)],
      list: (path) => [[...new Set([...tree.list(path), ...files().list(path)])]],
      exists: (path) => [tree.exists(path) || files().has(path)],
      write: (path, value) => this.#change(path, () => tree.write(path, value)),
      inject: (path, value) => this.#change(path, () => tree.inject(path, value)),
      rm: (path) => this.#change(path, () => tree.rm(path)),
    };
    return Object.fromEntries(Object.entries(work).map(([name, each]) => [name, this.#handler(name, each)]));
  }
  #handler(name: string, work: Work) {
    return async ([path, value]: readonly unknown[], caller: BusCaller) => {
      try {
        const sender = await this.#parts.senderOf(caller.sender);
        const within = homeOf(sender);
        const full = pathOf([...within, ...namesOf(path as string)]);
        if (sender.domid !== 0 && (name === 'write' || name === 'inject'))
          this.#refuseMore(pathOf(within), full, value as string);
        return await work(full, value as string);
      } catch (error) {
        if (error instanceof TreeError || error instanceof PathError)
          throw new BusError(busErrors.failed, error.message, { cause: error });
        throw error;
      }
    };
  }
  #refuseMore(home: string, path: string, value: string): void {
    const { nodes, characters } = this.#tree.size(home);
    const { limits } = this.#parts;
    const adds = path.length + value.length;
    if (nodes < limits.nodes && characters + adds <= limits.characters) return;
    const why = `a domain keeps at most ${limits.nodes} nodes and ${limits.characters} characters; remove some first`;
    throw new BusError(busErrors.limitsExceeded, `this domain has ${nodes} nodes and ${characters} characters: ${why}`);
  }
  async #change(path: string, change: () => Change[]): Promise<readonly []> {
    this.#parts.files().refuseChange(path);
    const changes = change();
    if (changes.length === 0) return [];
    try {
      await this.#parts.store.commit(++this.#revision, changes);
    } catch (error) {
      this.#parts.lost(error as Error);
      throw error;
    }
    return [];
  }
}
/** Names of the node that a sender takes for the root. */
function homeOf({ domid, uuid }: Sender): string[] {
  if (domid === 0) return [];
  if (uuid === null)
    throw new BusError(busErrors.accessDenied, `domain ${domid} has no uuid that is known, so no place here`);
  return ['dom-store', uuid];
}
