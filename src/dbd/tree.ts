/**
 * The database's tree in memory. A node is an inner one with children in the order in which they were made, a leaf with a value, or
 * empty (JSON's null). Every change answers the rows of the store that it touches: a row for each node, by its path.
 */
import type { Change } from '../store/store.ts';
import { namesOf, pathOf } from './path.ts';

/** Arrays are kept as they are; lists of clients are children `0`, `1`, …. */
export type Leaf = string | number | boolean | readonly unknown[];
interface Node {
  /** Grows with every node that is made: the order of children. */
  readonly made: number;
  children?: Map<string, Node>;
  value?: Leaf;
}
/** What a call asks for cannot be done. */
export class TreeError extends Error {
  override readonly name = 'TreeError';
}
export const table = 'node';
const deepestJson = 100;

export class Tree {
  readonly #root: Node = { made: 0, children: new Map() };
  #last = 0;

  /** The tree of what a store holds. */
  static load(rows: Iterable<readonly [path: string, text: string]>): Tree {
    const tree = new Tree();
    const read = [...rows].map(([path, text]) => [namesOf(path), JSON.parse(text)] as [string[], [number, Leaf?]]);
    // Parents before their children, children in the order in which they were made.
    read.sort((a, b) => a[0].length - b[0].length || a[1][0] - b[1][0]);
    for (const [names, row] of read) {
      const parent = tree.#find(names.slice(0, -1));
      if (!parent?.children) throw new TreeError(`the store has ${pathOf(names)}, but not the node above it`);
      const [made, value] = row;
      const node: Node = row.length === 1 ? { made, children: new Map() } : { made };
      if (value !== undefined && value !== null) node.value = value;
      parent.children.set(names.at(-1) as string, node);
      tree.#last = Math.max(tree.#last, made);
    }
    return tree;
  }
  /** A string as it is, another scalar as JSON; empty for what has no such value. */
  read(path: string): string {
    const value = this.#find(namesOf(path))?.value;
    if (value === undefined || typeof value === 'object') return '';
    return typeof value === 'string' ? value : JSON.stringify(value);
  }
  /** Names of the children, in their order. */
  list(path: string): string[] {
    return [...(this.#find(namesOf(path))?.children?.keys() ?? [])];
  }
  exists(path: string): boolean {
    return this.#find(namesOf(path)) !== undefined;
  }
  /** The subtree as indented JSON. */
  dump(path: string): string {
    const node = this.#find(namesOf(path));
    return node ? pretty(node, '') : 'null';
  }
  /** Nodes of the subtree, and the characters of their names and values. */
  size(path: string): { readonly nodes: number; readonly characters: number } {
    const node = this.#find(namesOf(path));
    return node ? sizeOf(node) : { nodes: 0, characters: 0 };
  }
  /** Stores a string, with the parents that are missing; a leaf among them loses its value. A node with children stays as it is. */
  write(path: string, value: string): Change[] {
    const names = namesOf(path);
    const before = this.#find(names);
    if (names.length === 0 || (before?.children?.size ?? 0) > 0) return [];
    return this.#put(names, value);
  }
  /** Puts the JSON text in place of the subtree. */
  inject(path: string, text: string): Change[] {
    const names = namesOf(path);
    const value = parse(text);
    const object = value !== null && typeof value === 'object' && !Array.isArray(value);
    if (names.length === 0 && !object && value !== null) throw new TreeError('the root takes an object, or null');
    if (names.length > 0) return this.#put(names, value);
    const changes = this.rm('/');
    for (const [name, child] of Object.entries(value ?? {})) changes.push(...this.#put([name], child));
    return changes;
  }
  /** Removes the subtree; the empty nodes beside it, and beside the nodes on its path, go too. The root loses its children. */
  rm(path: string): Change[] {
    const names = namesOf(path);
    const changes: Change[] = [];
    if (names.length > 0 && !this.#find(names)) return changes;
    let node = this.#root;
    for (const [i, name] of names.entries()) {
      const children = node.children as Map<string, Node>;
      const next = children.get(name) as Node;
      const at = names.slice(0, i);
      if (i === names.length - 1) drop(children, name, at, changes);
      for (const [each, child] of children)
        if (!child.children && child.value === undefined) drop(children, each, at, changes);
      node = next;
    }
    const { children = new Map<string, Node>() } = this.#root;
    if (names.length === 0) for (const name of [...children.keys()]) drop(children, name, [], changes);
    return changes;
  }
  #find(names: readonly string[]): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of names) node = node?.children?.get(name);
    return node;
  }
  /** Puts a node with this JSON value at the path, in place of what is there and where that was among its siblings. */
  #put(names: readonly string[], value: unknown): Change[] {
    const changes: Change[] = [];
    let node = this.#root;
    for (const [i, name] of names.slice(0, -1).entries()) {
      const next: Node = node.children?.get(name) ?? { made: ++this.#last };
      if (!next.children) {
        next.children = new Map();
        delete next.value;
        changes.push(row(names.slice(0, i + 1), next));
      }
      node.children?.set(name, next);
      node = next;
    }
    const name = names.at(-1) as string;
    const before = node.children?.get(name);
    if (before) removed(before, names, changes);
    const made = before?.made ?? ++this.#last;
    node.children?.set(name, this.#made(made, value, names, changes));
    return changes;
  }
  #made(made: number, value: unknown, names: readonly string[], changes: Change[]): Node {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      const node: Node = value === null ? { made } : { made, value: value as Leaf };
      changes.push(row(names, node));
      return node;
    }
    const node: Node & { children: Map<string, Node> } = { made, children: new Map() };
    changes.push(row(names, node));
    for (const [key, child] of Object.entries(value)) {
      node.children.set(key, this.#made(++this.#last, child, [...names, key], changes));
    }
    return node;
  }
}

function parse(text: string): unknown {
  let value: unknown;
  try {
    value = text.trim() === '' ? null : JSON.parse(text);
  } catch (cause) {
    throw new TreeError(`this is no JSON: ${(cause as Error).message}`, { cause });
  }
  checkNames(value, 0);
  return value;
}
/** Before anything is changed: whether all names can be names of nodes, and the depth. */
function checkNames(value: unknown, depth: number): void {
  if (depth > deepestJson) throw new TreeError(`JSON nested more than ${deepestJson} deep`);
  if (value === null || typeof value !== 'object') return;
  for (const [key, child] of Object.entries(value)) {
    if (!Array.isArray(value) && (key === '' || key.includes('/')))
      throw new TreeError(`${JSON.stringify(key)} cannot be a node's name: a name is not empty and has no slash`);
    checkNames(child, depth + 1);
  }
}
const row = (names: readonly string[], node: Node): Change => ({
  table,
  key: pathOf(names),
  value: JSON.stringify(node.children ? [node.made] : [node.made, node.value ?? null]),
});
function drop(children: Map<string, Node>, name: string, at: readonly string[], changes: Change[]): void {
  const node = children.get(name);
  if (!node) return;
  children.delete(name);
  const names = [...at, name];
  changes.push({ table, key: pathOf(names), value: null });
  removed(node, names, changes);
}
/** Rows of everything below a node go. */
function removed(node: Node, names: readonly string[], changes: Change[]): void {
  for (const [name, child] of node.children ?? []) {
    changes.push({ table, key: pathOf([...names, name]), value: null });
    removed(child, [...names, name], changes);
  }
}
/** Indented JSON, children in their order. */
function pretty(node: Node, indent: string): string {
  if (!node.children) return JSON.stringify(node.value ?? null, null, 2).replaceAll('\n', `\n${indent}`);
  if (node.children.size === 0) return '{}';
  const inner = `${indent}  `;
  const members = [...node.children].map(([name, child]) => `${inner}${JSON.stringify(name)}: ${pretty(child, inner)}`);
  return `{\n${members.join(',\n')}\n${indent}}`;
}
function sizeOf(node: Node): { nodes: number; characters: number } {
  let [nodes, characters] = [1, node.value === undefined ? 0 : String(node.value).length];
  for (const [name, child] of node.children ?? []) {
    const below = sizeOf(child);
    nodes += below.nodes;
    characters += below.characters + name.length;
  }
  return { nodes, characters };
}
