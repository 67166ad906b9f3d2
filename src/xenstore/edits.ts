/**
 * Changes of a tree with what goes along: owners are charged for their nodes, and every effect is handed on: to the journal when the tree is
 * the store's own, to the transaction's record when it is a transaction's.
 */
import type { Domain } from './domains.ts';
import type { Path } from './path.ts';
import type { Permissions } from './permissions.ts';
import { nodeOverhead } from './quotas.ts';
import type { Tree, TreeNode } from './tree.ts';

/** One change, as it was made: applying the same to an equal tree gives an equal tree. */
export type Effect =
  /** The node that the first `depth` parts of the path lead to; its parent is there. */
  | {
      readonly kind: 'create';
      readonly path: Path;
      readonly depth: number;
      readonly value: string;
      readonly permissions: Permissions;
      /** Only because something below it was made: no matter when somebody else made the same meanwhile. */
      readonly implicit: boolean;
    }
  | { readonly kind: 'value'; readonly path: Path; readonly value: string }
  | { readonly kind: 'permissions'; readonly path: Path; readonly permissions: Permissions }
  | { readonly kind: 'remove'; readonly path: Path };

/** Counts what domains own: nodes and bytes, either of which may be negative. */
export type Charge = (domain: Domain | undefined, nodes: number, bytes: number) => void;

export const charge: Charge = (domain, nodes, bytes) => {
  if (domain === undefined) return;
  domain.usage.nodes += nodes;
  domain.usage.memory += bytes;
  domain.note();
};

/** Bytes that a node is charged. */
export const nodeSize = (name: string, value: string, permissions: Permissions): number =>
  nodeOverhead + name.length + value.length + permissions.size;

export class Edits {
  readonly tree: Tree;
  readonly #charge: Charge;
  /** Told of every effect. */
  record: ((effect: Effect) => void) | undefined;

  constructor(tree: Tree, charge: Charge, record?: (effect: Effect) => void) {
    this.tree = tree;
    this.#charge = charge;
    this.record = record;
  }
  create(path: Path, depth: number, value: string, permissions: Permissions, implicit: boolean): void {
    this.tree.create(path, depth, value, permissions);
    this.#charge(permissions.owner, 1, nodeSize(path.parts[depth - 1] as string, value, permissions));
    this.record?.({ kind: 'create', path, depth, value, permissions, implicit });
  }
  setValue(path: Path, node: TreeNode, value: string): void {
    this.#charge(node.permissions.owner, 0, value.length - node.value.length);
    this.tree.setValue(path, value);
    this.record?.({ kind: 'value', path, value });
  }
  setPermissions(path: Path, node: TreeNode, permissions: Permissions): void {
    const name = path.parts.at(-1) ?? '';
    this.#charge(node.permissions.owner, -1, -nodeSize(name, node.value, node.permissions));
    this.#charge(permissions.owner, 1, nodeSize(name, node.value, permissions));
    this.tree.setPermissions(path, permissions);
    this.record?.({ kind: 'permissions', path, permissions });
  }
  remove(path: Path, node: TreeNode): void {
    this.tree.remove(path);
    const line: [string, TreeNode][] = [[path.parts.at(-1) as string, node]];
    for (let next = line.pop(); next !== undefined; next = line.pop()) {
      const [name, each] = next;
      this.#charge(each.permissions.owner, -1, -nodeSize(name, each.value, each.permissions));
      if (each.children !== undefined) for (const entry of each.children) line.push([entry[0], entry[1]]);
    }
    this.record?.({ kind: 'remove', path });
  }
  /** Makes the same change here; the tree must be equal where it touches it. */
  apply(effect: Effect): void {
    if (effect.kind === 'create') {
      if (effect.implicit && this.tree.deepest(effect.path).depth >= effect.depth) return;
      this.create(effect.path, effect.depth, effect.value, effect.permissions, effect.implicit);
      return;
    }
    const node = this.tree.find(effect.path) as TreeNode;
    if (effect.kind === 'value') this.setValue(effect.path, node, effect.value);
    else if (effect.kind === 'permissions') this.setPermissions(effect.path, node, effect.permissions);
    else this.remove(effect.path, node);
  }
}
