/**
 * A store as simple as can be, to compare ours with: a map of whole paths, copied for every transaction. A commit is right when every answer that
 * the transaction was given is also the answer at the time of the commit.
 */
export type Letter = 'n' | 'r' | 'w' | 'b';
export interface NaiveNode {
  readonly value: string;
  /** The first names the owner. */
  readonly entries: readonly (readonly [Letter, number])[];
}
export type Nodes = Map<string, NaiveNode>;
export type Call =
  | { readonly op: 'read' | 'directory' | 'getPerms' | 'mkdir' | 'rm'; readonly path: string }
  | { readonly op: 'write'; readonly path: string; readonly value: string }
  | { readonly op: 'setPerms'; readonly path: string; readonly entries: readonly (readonly [Letter, number])[] };

const parentOf = (path: string) => path.slice(0, path.lastIndexOf('/')) || '/';
const namesBelow = (nodes: Nodes, path: string): string[] => {
  const prefix = path === '/' ? '/' : `${path}/`;
  return [...nodes.keys()]
    .filter((p) => p !== '/' && p.startsWith(prefix) && !p.slice(prefix.length).includes('/'))
    .map((p) => p.slice(prefix.length));
};

export function may(node: NaiveNode, domid: number, want: 'r' | 'w'): boolean {
  const [[letter, owner] = ['n', 0], ...others] = node.entries;
  if (domid === 0 || owner === domid) return true;
  const named = others.find(([, who]) => who === domid)?.[0] ?? letter;
  return named === 'b' || named === want;
}

/** Does the call; the answer in the protocol's form, with the names of a directory sorted. `changed` hears of each changed path, and whether watches do:
 * they do not hear of parents that are made on the way. */
export function perform(
  nodes: Nodes,
  domid: number,
  call: Call,
  changed: (path: string, told: boolean) => void,
): string {
  const { path } = call;
  const node = nodes.get(path);
  const reads = call.op === 'read' || call.op === 'directory' || call.op === 'getPerms';
  if (call.op === 'rm' && path === '/') return 'EINVAL';
  if (node !== undefined && !may(node, domid, reads ? 'r' : 'w')) return 'EACCES';
  if (node === undefined) {
    let above = parentOf(path);
    while (!nodes.has(above)) above = parentOf(above);
    const ancestor = nodes.get(above) as NaiveNode;
    if (!may(ancestor, domid, reads ? 'r' : 'w')) return 'EACCES';
    if (reads || call.op === 'setPerms') return 'ENOENT';
    if (call.op === 'rm') return nodes.has(parentOf(path)) ? 'OK' : 'ENOENT';
    const [[letter, owner] = ['n' as const, 0], ...others] = ancestor.entries;
    const entries: NaiveNode['entries'] = [[letter, domid === 0 ? owner : domid], ...others];
    for (let at = above; at !== path; ) {
      const rest = path.slice(at === '/' ? 1 : at.length + 1);
      at = `${at === '/' ? '' : at}/${rest.split('/')[0]}`;
      nodes.set(at, { value: at === path && call.op === 'write' ? call.value : '', entries });
      changed(at, at === path);
    }
    return 'OK';
  }
  switch (call.op) {
    case 'read':
      return node.value;
    case 'directory':
      return namesBelow(nodes, path).sort().join();
    case 'getPerms':
      return node.entries.map(([letter, who]) => letter + who).join();
    case 'mkdir':
      return 'OK';
    case 'write':
      nodes.set(path, { ...node, value: call.value });
      break;
    case 'rm':
      for (const each of [...nodes.keys()]) if (each === path || each.startsWith(`${path}/`)) nodes.delete(each);
      break;
    case 'setPerms':
      if (domid !== 0 && node.entries[0]?.[1] !== domid) return 'EACCES';
      if (domid !== 0 && call.entries[0]?.[1] !== domid) return 'EPERM';
      nodes.set(path, { ...node, entries: call.entries });
  }
  changed(path, true);
  return 'OK';
}

/** Whether one of two paths is the other or leads to it. */
export const related = (a: string, b: string): boolean =>
  a === b || a === '/' || b === '/' || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);

export interface Replayed {
  readonly nodes: Nodes;
  readonly changed: readonly string[];
  /** Those that watches hear of. */
  readonly told: readonly string[];
}

/** A transaction: its own copy, what it did and was answered, and what others changed since. */
export class NaiveTransaction {
  readonly nodes: Nodes;
  readonly done: { readonly call: Call; readonly reply: string }[] = [];
  readonly others = new Set<string>();

  constructor(nodes: Nodes) {
    this.nodes = new Map(nodes);
  }
  perform(domid: number, call: Call): string {
    const reply = perform(this.nodes, domid, call, () => undefined);
    this.done.push({ call, reply });
    return reply;
  }
  /** Whether others changed nothing that it has to do with: then it must commit. */
  get disjoint(): boolean {
    return !this.done.some(({ call }) => [...this.others].some((path) => related(path, call.path)));
  }
  /** Does it all again where it is committed; undefined when an answer is another one now. */
  replay(nodes: Nodes, domid: number): Replayed | undefined {
    const next = new Map(nodes);
    const changed: string[] = [];
    const told: string[] = [];
    for (const { call, reply } of this.done) {
      const note = (path: string, heard: boolean) => {
        changed.push(path);
        if (heard) told.push(path);
      };
      if (perform(next, domid, call, note) !== reply) return undefined;
    }
    return { nodes: next, changed, told };
  }
}
