/**
 * A node's children by name, copied on write: small directories are one map, large ones a tree of maps by a hash of the name, so that a change
 * copies a small piece of the largest directory. `owner` tells who may change a piece in place: whoever made it, until a snapshot may see it.
 */
import type { TreeNode } from './tree.ts';

/** Children above which a map is split. */
const leafMax = 64;
const bits = 5;
const fan = 1 << bits;
/** Levels after which a map is never split: all 30 bits are used. */
const deepest = 6;

/** FNV-1a, 30 bits. */
function hash(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  return (h ^ (h >>> 15)) & 0x3fffffff;
}

export class Children {
  readonly owner: number;
  readonly #level: number;
  #size: number;
  #leaf: Map<string, TreeNode> | undefined;
  #branches: (Children | undefined)[] | undefined;
  /** Names, each with its NUL, as they are sent; made when asked for. */
  #names: string | undefined;
  #nameBytes: number;

  constructor(owner: number, level = 0, from?: Children) {
    this.owner = owner;
    this.#level = level;
    if (from === undefined) {
      this.#size = 0;
      this.#leaf = new Map();
      this.#nameBytes = 0;
      return;
    }
    this.#size = from.#size;
    this.#leaf = from.#leaf && new Map(from.#leaf);
    this.#branches = from.#branches?.slice();
    this.#names = from.#names;
    this.#nameBytes = from.#nameBytes;
  }
  get size(): number {
    return this.#size;
  }
  /** Every name with a NUL after it. */
  get names(): string {
    if (this.#names === undefined) {
      let names = '';
      for (const [name] of this) names += `${name}\0`;
      this.#names = names;
    }
    return this.#names;
  }
  /** Length of `names`. */
  get nameBytes(): number {
    return this.#nameBytes;
  }
  get(name: string): TreeNode | undefined {
    if (this.#leaf !== undefined) return this.#leaf.get(name);
    const h = hash(name);
    let at: Children | undefined = this;
    while (at !== undefined && at.leaf === undefined) at = at.branch(h);
    return at?.leaf?.get(name);
  }
  private get leaf(): Map<string, TreeNode> | undefined {
    return this.#leaf;
  }
  private branch(h: number): Children | undefined {
    return this.#branches?.[(h >>> (this.#level * bits)) & (fan - 1)];
  }
  /** With `name` set to `node`, or taken out; this very object when `owner` made it. */
  with(name: string, node: TreeNode | undefined, owner: number): Children {
    const own = this.owner === owner ? this : new Children(owner, this.#level, this);
    const before = own.#size;
    own.#set(name, node, owner);
    if (own.#size !== before) {
      own.#names = undefined;
      own.#nameBytes += (own.#size - before) * (name.length + 1);
    }
    return own;
  }
  /** In no order that means anything. */
  *[Symbol.iterator](): Generator<readonly [string, TreeNode]> {
    if (this.#leaf !== undefined) return yield* this.#leaf;
    for (const each of this.#branches ?? []) if (each !== undefined) yield* each;
  }
  #set(name: string, node: TreeNode | undefined, owner: number): void {
    const leaf = this.#leaf;
    if (leaf !== undefined) {
      if (node === undefined) leaf.delete(name);
      else leaf.set(name, node);
      this.#size = leaf.size;
      if (leaf.size > leafMax && this.#level < deepest) this.#split(leaf, owner);
      return;
    }
    const branches = this.#branches as (Children | undefined)[];
    const slot = (hash(name) >>> (this.#level * bits)) & (fan - 1);
    const branch = branches[slot];
    if (branch === undefined && node === undefined) return;
    const before = branch?.size ?? 0;
    const next = (branch ?? new Children(owner, this.#level + 1)).with(name, node, owner);
    branches[slot] = next.size > 0 ? next : undefined;
    this.#size += next.size - before;
    if (this.#size === 0) {
      this.#leaf = new Map();
      this.#branches = undefined;
    }
  }
  #split(leaf: Map<string, TreeNode>, owner: number): void {
    this.#branches = new Array(fan).fill(undefined);
    this.#leaf = undefined;
    this.#size = 0;
    for (const [name, node] of leaf) this.#set(name, node, owner);
  }
}
