/**
 * A transaction works on a tree of its own that starts from a snapshot, and remembers what its answers depended on.
 *
 *     START ──▶ open ──requests: seen, effects, changes──▶ open
 *                │
 *                ├─ END F ─────────────────────────────────────────────▶ gone
 *                └─ END T ─ the store is still the snapshot ───────────▶ its tree becomes the store's
 *                         ─ else nothing it depended on has changed ───▶ its effects are made in the store (merged)
 *                         ─ else ──────────────────────────────────────▶ EAGAIN, nothing happened
 *
 * Disjoint transactions never conflict, nor do two that make different children of one node: making a child depends on the parent's existence
 * and permissions, not on its other children.
 */

import type { Domain } from './domains.ts';
import { type Charge, charge, Edits, type Effect } from './edits.ts';
import type { Path } from './path.ts';
import type { Permissions } from './permissions.ts';
import { touchOverhead } from './quotas.ts';
import type { Tree, TreeNode } from './tree.ts';
import type { Change } from './watches.ts';

/** What of a node an answer depended on; each includes that it was there, or that it was not. */
export const seen = { permissions: 1, self: 2, children: 4, everything: 8 } as const;

export interface Seen {
  readonly path: Path;
  what: number;
  /** It was missing and was made on the way to something below, with these permissions. */
  implicit: Permissions | undefined;
}

export class Transaction {
  readonly id: number;
  readonly base: TreeNode;
  readonly edits: Edits;
  readonly effects: Effect[] = [];
  /** What watches are told at the commit. */
  readonly changes: Change[] = [];
  /** Nodes and bytes that it adds to what domains own. */
  readonly added = new Map<Domain, { nodes: number; bytes: number }>();
  readonly #seen = new Map<string, Seen>();
  readonly #domain: Domain;
  #charged = 0;
  #doomed = false;

  constructor(id: number, domain: Domain, tree: Tree) {
    this.id = id;
    this.#domain = domain;
    const own = tree.fork();
    this.base = own.root;
    const add: Charge = (owner, nodes, bytes) => {
      if (owner === undefined) return;
      const sum = this.added.get(owner);
      if (sum === undefined) this.added.set(owner, { nodes, bytes });
      else {
        sum.nodes += nodes;
        sum.bytes += bytes;
      }
    };
    this.edits = new Edits(own, add, (effect) => {
      this.effects.push(effect);
      this.#charge('value' in effect ? touchOverhead + effect.value.length : touchOverhead);
    });
    domain.usage.transactions++;
    this.#charge(touchOverhead);
    domain.note();
  }
  /** Remembers a dependence; false when the transaction has touched as many nodes as its domain may. */
  see(path: Path, what: number): boolean {
    const before = this.#seen.get(path.text);
    if (before !== undefined) {
      before.what |= what;
      return true;
    }
    if (this.#domain.exceeds('transaction-nodes', this.#seen.size + 1)) return false;
    this.#seen.set(path.text, { path, what, implicit: undefined });
    this.#charge(touchOverhead + path.text.length);
    return true;
  }
  /** As `see`, of a node that was missing and is made on the way to something below: somebody else may make the same meanwhile. */
  seeImplicit(path: Path, permissions: Permissions): boolean {
    const known = this.#seen.has(path.text);
    if (!this.see(path, 0)) return false;
    if (!known) (this.#seen.get(path.text) as Seen).implicit = permissions;
    return true;
  }
  /** Nodes that it depends on. */
  get touched(): number {
    return this.#seen.size;
  }
  /** Whether everything that its answers depended on is in `tree` as it was in the snapshot. */
  holds(tree: Tree): boolean {
    if (this.#doomed) return false;
    if (tree.root === this.base) return true;
    for (const { path, what, implicit } of this.#seen.values()) {
      const then = findFrom(this.base, path);
      const now = tree.find(path);
      if (then === now) continue;
      if (then === undefined && implicit !== undefined && what === 0 && now !== undefined) {
        if (now.permissions.text === implicit.text && now.permissions.owner === implicit.owner) continue;
        return false;
      }
      if (then === undefined || now === undefined || (what & seen.everything) !== 0) return false;
      if ((what & seen.self) !== 0 && then.generation !== now.generation) return false;
      if ((what & seen.children) !== 0 && then.childrenGeneration !== now.childrenGeneration) return false;
      if (then.permissions !== now.permissions) return false;
    }
    return true;
  }
  /** Makes its changes in the store, which `holds`. */
  commit(edits: Edits): void {
    if (this.effects.length === 0) return;
    if (edits.tree.root !== this.base) {
      for (const effect of this.effects) edits.apply(effect);
      return;
    }
    edits.tree.adopt(this.edits.tree.root);
    for (const [owner, { nodes, bytes }] of this.added) charge(owner, nodes, bytes);
    if (edits.record !== undefined) for (const effect of this.effects) edits.record(effect);
  }
  /** Gives back what it was charged. */
  end(): void {
    this.#domain.usage.transactions--;
    this.#domain.usage.memory -= this.#charged;
    this.#charged = 0;
  }
  /** What its answers depended on. */
  get seen(): Iterable<Seen> {
    return this.#seen.values();
  }
  /** Its commit fails whatever happens: a predecessor found the conflict, or was killed. */
  doom(): void {
    this.#doomed = true;
  }
  /** As a predecessor recorded it. */
  restoreSeen(path: Path, what: number, implicit: Permissions | undefined): void {
    this.#seen.set(path.text, { path, what, implicit });
    this.#charge(touchOverhead + path.text.length);
  }
  #charge(bytes: number): void {
    this.#charged += bytes;
    this.#domain.usage.memory += bytes;
  }
}

function findFrom(root: TreeNode, path: Path): TreeNode | undefined {
  let at: TreeNode | undefined = root;
  for (let i = 0; i < path.parts.length && at !== undefined; i++) at = at.children?.get(path.parts[i] as string);
  return at;
}
