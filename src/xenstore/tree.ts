/**
 * The tree of nodes, as an immutable value: whoever holds a root sees it unchanged for ever. A change copies the way from the root to the node;
 * what was copied since the last snapshot is not copied again but changed in place, since nobody else can see it. So a write costs
 * nothing but its walk while there is no transaction, and O(depth) after one began.
 *
 *     store.root ─────▶ ○ owner 7                 snapshot(): the holder keeps ○; the tree's owner becomes 8
 *                      / \
 *                     ○   ○ owner 7               write: ○ of owner 7 is copied, ○ of owner 8 is changed in place
 */
import { Children } from './children.ts';
import type { Path } from './path.ts';
import type { Permissions } from './permissions.ts';

export class TreeNode {
  readonly owner: number;
  /** One character per byte. */
  value: string;
  permissions: Permissions;
  children: Children | undefined;
  /** Changes with value and permissions, and with each life of the node. */
  generation: number;
  /** Changes with the set of children. */
  childrenGeneration: number;

  constructor(
    owner: number,
    value: string,
    permissions: Permissions,
    children: Children | undefined,
    generation: number,
    childrenGeneration: number,
  ) {
    this.owner = owner;
    this.value = value;
    this.permissions = permissions;
    this.children = children;
    this.generation = generation;
    this.childrenGeneration = childrenGeneration;
  }
  child(name: string): TreeNode | undefined {
    return this.children?.get(name);
  }
  get childCount(): number {
    return this.children?.size ?? 0;
  }
}

/** Numbers that are never given twice: who made a piece of a tree, and when a node changed. */
export interface Serials {
  owner: number;
  generation: number;
}

export class Tree {
  root: TreeNode;
  #owner: number;
  readonly #serials: Serials;

  constructor(serials: Serials, root: TreeNode | Permissions) {
    this.#serials = serials;
    this.#owner = ++serials.owner;
    this.root =
      root instanceof TreeNode ? root : new TreeNode(this.#owner, '', root, undefined, ++serials.generation, 0);
  }
  /** The tree as it is now, for ever; and a tree of one's own that starts from it. */
  fork(): Tree {
    this.#owner = ++this.#serials.owner;
    return new Tree(this.#serials, this.root);
  }
  /** Takes over the content of a tree that was forked from this one when this one has not changed since. */
  adopt(root: TreeNode): void {
    this.root = root;
    this.#owner = ++this.#serials.owner;
  }
  find(path: Path): TreeNode | undefined {
    let at: TreeNode | undefined = this.root;
    const parts = path.parts;
    for (let i = 0; i < parts.length && at !== undefined; i++) at = at.children?.get(parts[i] as string);
    return at;
  }
  /** The deepest node on the way to `path` (perhaps the node itself), and its depth: how many parts lead to it. */
  deepest(path: Path): { readonly node: TreeNode; readonly depth: number } {
    let node = this.root;
    const parts = path.parts;
    for (let depth = 0; depth < parts.length; depth++) {
      const next = node.children?.get(parts[depth] as string);
      if (next === undefined) return { node, depth };
      node = next;
    }
    return { node, depth: parts.length };
  }
  /** The node must be there. */
  setValue(path: Path, value: string): void {
    const node = this.#own(path, path.parts.length);
    node.value = value;
    node.generation = ++this.#serials.generation;
  }
  /** The node must be there. */
  setPermissions(path: Path, permissions: Permissions): void {
    const node = this.#own(path, path.parts.length);
    node.permissions = permissions;
    node.generation = ++this.#serials.generation;
  }
  /** The node must not be there, its parent must. */
  create(path: Path, depth: number, value: string, permissions: Permissions): TreeNode {
    const parent = this.#own(path, depth - 1);
    const node = new TreeNode(this.#owner, value, permissions, undefined, ++this.#serials.generation, 0);
    parent.children = (parent.children ?? new Children(this.#owner)).with(
      path.parts[depth - 1] as string,
      node,
      this.#owner,
    );
    parent.childrenGeneration = ++this.#serials.generation;
    return node;
  }
  /** The node must be there and not be the root; it goes with everything below it. */
  remove(path: Path): void {
    const parent = this.#own(path, path.parts.length - 1);
    const children = parent.children?.with(path.parts.at(-1) as string, undefined, this.#owner);
    parent.children = children !== undefined && children.size > 0 ? children : undefined;
    parent.childrenGeneration = ++this.#serials.generation;
  }

  /** The node that `depth` parts of the path lead to, copied with the way to it as far as snapshots may see it. */
  #own(path: Path, depth: number): TreeNode {
    const owner = this.#owner;
    if (this.root.owner !== owner) this.root = copy(this.root, owner);
    let at = this.root;
    for (let i = 0; i < depth; i++) {
      const name = path.parts[i] as string;
      const next = at.children?.get(name) as TreeNode;
      if (next.owner === owner) {
        at = next;
      } else {
        const own = copy(next, owner);
        at.children = (at.children as Children).with(name, own, owner);
        at = own;
      }
    }
    return at;
  }
}

const copy = (node: TreeNode, owner: number): TreeNode =>
  new TreeNode(owner, node.value, node.permissions, node.children, node.generation, node.childrenGeneration);

/** Every node below `top` and itself, parents before their children; without recursion, since guests choose the depth. */
export function* nodesOf(top: TreeNode, at = '/'): Generator<readonly [path: string, node: TreeNode]> {
  const line: (readonly [string, TreeNode])[] = [[at, top]];
  for (let next = line.pop(); next !== undefined; next = line.pop()) {
    yield next;
    const [path, node] = next;
    const prefix = path === '/' ? '/' : `${path}/`;
    for (const [name, child] of node.children ?? []) line.push([prefix + name, child]);
  }
}
