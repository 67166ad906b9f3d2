/** The operations on nodes: READ, DIRECTORY, WRITE, MKDIR, RM and permissions. */
import { type ErrorName, latin1, payloadMax } from '../wire/xenstore.ts';
import type { Core } from './core.ts';
import { nodeSize } from './edits.ts';
import type { Path } from './path.ts';
import { Permissions, parseEntries, reading, writing } from './permissions.ts';
import { entrySize } from './quotas.ts';
import { parseNumber, type Request } from './request.ts';
import { seen } from './transaction.ts';
import type { TreeNode } from './tree.ts';

/** The name of what went wrong, or undefined when the answer was given. */
export type Outcome = ErrorName | undefined;

/** Bytes of a node's header, for the limit on a node's size. */
const nodeHeader = 24;

export function read(_core: Core, r: Request): Outcome {
  const path = r.onlyPath();
  const node = path && r.find(path, reading, seen.self);
  return node === undefined ? r.error : r.reply(node.value);
}

export function directory(_core: Core, r: Request): Outcome {
  const path = r.onlyPath();
  const node = path && r.find(path, reading, seen.children);
  if (node === undefined) return r.error;
  if (node.children === undefined) return r.reply('');
  return node.children.nameBytes > payloadMax ? 'E2BIG' : r.reply(node.children.names);
}

export function directoryPart(_core: Core, r: Request): Outcome {
  const [text = '', offsetText, ...more] = r.strings() ?? [];
  const path = r.path(text);
  const offset = parseNumber(offsetText);
  if (path === undefined || offset === undefined || more.length > 0) return 'EINVAL';
  const node = r.find(path, reading, seen.self | seen.children);
  if (node === undefined) return r.error;
  const names = node.children?.names ?? '';
  const generation = `${Math.max(node.generation, node.childrenGeneration)}\0`;
  const room = payloadMax - generation.length;
  if (offset >= names.length) return r.reply(`${generation}\0`);
  if (names.length - offset < room) return r.reply(`${generation}${names.slice(offset)}\0`);
  const end = names.lastIndexOf('\0', offset + room - 1) + 1;
  return r.reply(generation + names.slice(offset, end));
}

export function getPerms(core: Core, r: Request): Outcome {
  const path = r.onlyPath();
  if (path?.special) {
    const permissions = core.specialPermissions(path.text);
    if (permissions === undefined) return 'EINVAL';
    return permissions.allows(r.connection.domain, reading) ? r.reply(permissions.text) : 'EACCES';
  }
  const node = path && r.find(path, reading, seen.permissions);
  if (node === undefined) return r.error;
  return node.permissions.text.length > payloadMax ? 'E2BIG' : r.reply(node.permissions.text);
}

export function write(core: Core, r: Request): Outcome {
  const end = r.firstEnd();
  if (end < 0) return 'EINVAL';
  const path = r.path(latin1(r.bytes, r.from, end));
  if (path === undefined || path.special) return 'EINVAL';
  if (!r.see(path, seen.self)) return r.error;
  const value = latin1(r.bytes, end + 1, r.to);
  const node = r.edits.tree.find(path);
  if (node === undefined) return create(core, r, path, value) ?? r.ok();
  const domain = r.connection.domain;
  if (!domain.privileged) {
    if (!node.permissions.allows(domain, writing)) return 'EACCES';
    if (domain.exceeds('node-size', sizeOf(node) - node.value.length + value.length)) return 'ENOSPC';
    if (!hasMemory(r, value.length - node.value.length)) return 'ENOMEM';
  }
  r.edits.setValue(path, node, value);
  core.changed(r, path, node.permissions, undefined, undefined);
  return r.ok();
}

export function mkdir(core: Core, r: Request): Outcome {
  const path = r.onlyPath();
  const node = path && r.find(path, writing, seen.self);
  if (node !== undefined) return r.ok();
  if (path === undefined || r.error !== 'ENOENT') return r.error;
  return create(core, r, path, '') ?? r.ok();
}

export function rm(core: Core, r: Request): Outcome {
  const path = r.onlyPath();
  if (path === undefined || path.text === '/') return 'EINVAL';
  const node = r.find(path, writing, seen.everything);
  if (node === undefined) {
    if (r.error !== 'ENOENT') return r.error;
    const parent = r.ancestor(path, path.parts.length - 1);
    if (!r.see(parent, seen.permissions)) return r.error;
    return r.edits.tree.find(parent) === undefined ? 'ENOENT' : r.ok();
  }
  const parent = parentOf(r, path);
  r.edits.remove(path, node);
  core.changed(r, path, node.permissions, undefined, node, parent);
  return r.ok();
}

export function setPerms(core: Core, r: Request): Outcome {
  const [text = '', ...letters] = r.strings() ?? [];
  const domain = r.connection.domain;
  const path = r.path(text);
  if (path === undefined || letters.length === 0) return 'EINVAL';
  const entries = parseEntries(letters, (domid) => core.domains.identify(domid));
  if (entries === undefined) return 'EINVAL';
  if (domain.limit('node-permissions') > 0 && entries.length > domain.limit('node-permissions')) return 'ENOSPC';
  if (path.special) {
    if (!domain.privileged) return 'EACCES';
    return core.setSpecialPermissions(path.text, new Permissions(entries)) ? r.ok() : 'EINVAL';
  }
  const node = r.find(path, writing, seen.self);
  if (node === undefined) return r.error;
  if (!node.permissions.isOwner(domain)) return 'EACCES';
  if (!domain.privileged) {
    if (entries[0]?.domain !== node.permissions.owner) return 'EPERM';
    const more = (entries.length - node.permissions.entries.length) * entrySize;
    if (domain.exceeds('node-size', sizeOf(node) + more)) return 'ENOSPC';
    if (!hasMemory(r, more)) return 'ENOMEM';
  }
  const before = node.permissions;
  const permissions = new Permissions(entries);
  r.edits.setPermissions(path, node, permissions);
  core.changed(r, path, permissions, before, undefined);
  return r.ok();
}

/** Makes the node and the ancestors that are missing; the reason when it may not be. */
function create(core: Core, r: Request, path: Path, value: string): Outcome {
  const { node: from, depth } = r.edits.tree.deepest(path);
  const domain = r.connection.domain;
  if (r.transaction !== undefined && !r.see(r.ancestor(path, depth), seen.permissions)) return r.error;
  if (!from.permissions.allows(domain, writing)) return r.missing(path, writing);
  const permissions = from.permissions.ownedBy(domain);
  if (!domain.privileged) {
    const refused = mayCreate(r, path, from, depth, value, permissions);
    if (refused !== undefined) return refused;
  }
  const last = path.parts.length;
  for (let at = depth + 1; at < last; at++) {
    if (r.transaction !== undefined && !r.transaction.seeImplicit(r.ancestor(path, at), permissions)) return 'ENOSPC';
    r.edits.create(path, at, '', permissions, true);
  }
  r.edits.create(path, last, value, permissions, false);
  core.changed(r, path, permissions, undefined, undefined, last - depth > 1 ? permissions : from.permissions);
  return undefined;
}

/** Whether an unprivileged domain's limits allow it. All is checked before anything is made. */
function mayCreate(
  r: Request,
  path: Path,
  from: TreeNode,
  depth: number,
  value: string,
  permissions: Permissions,
): Outcome {
  const domain = r.connection.domain;
  const owner = permissions.owner;
  const names = path.parts;
  const count = names.length - depth;
  const added = owner && r.transaction?.added.get(owner)?.nodes;
  if (domain.exceeds('nodes', domain.usage.nodes + (added ?? 0) + count)) return 'ENOSPC';
  if (domain.exceeds('node-size', sizeOf(from) + (names[depth] as string).length + 1)) return 'ENOSPC';
  let bytes = 0;
  for (let at = depth; at < names.length; at++) {
    const content = at === names.length - 1 ? value : '';
    const childName = at + 1 < names.length ? (names[at + 1] as string).length + 1 : 0;
    if (domain.exceeds('node-size', nodeHeader + permissions.size + content.length + childName)) return 'ENOSPC';
    bytes += nodeSize(names[at] as string, content, permissions);
  }
  if (r.transaction !== undefined && domain.exceeds('transaction-nodes', r.transaction.touched + count))
    return 'ENOSPC';
  return hasMemory(r, bytes) ? undefined : 'ENOMEM';
}

const sizeOf = (node: TreeNode): number =>
  nodeHeader + node.permissions.size + node.value.length + (node.children?.nameBytes ?? 0);

/** Whether the caller may have `more` bytes; less than nothing is always allowed. */
function hasMemory(r: Request, more: number): boolean {
  const { domain, output } = r.connection;
  const added = r.transaction?.added.get(domain)?.bytes ?? 0;
  return more <= 0 || !domain.exceeds('memory', domain.usage.memory + output.length + added + more);
}

/** Permissions of the node above. */
export function parentOf(r: Request, path: Path): Permissions | undefined {
  return r.edits.tree.find(r.ancestor(path, path.parts.length - 1))?.permissions;
}
