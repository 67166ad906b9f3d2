/**
 * Watches, as a tree over the names of the watched paths: a change walks down its own path and meets the watches on it, however many there
 * are elsewhere; a removal also meets those below.
 */

import { payloadMax } from '../wire/xenstore.ts';
import type { Connection } from './connection.ts';
import type { Path } from './path.ts';
import type { Permissions } from './permissions.ts';
import { reading } from './permissions.ts';
import { watchOverhead } from './quotas.ts';
import type { TreeNode } from './tree.ts';

export interface Watch {
  readonly connection: Connection;
  readonly path: Path;
  /** As it was sent: relative ones are reported relative. */
  readonly sent: string;
  readonly token: string;
  /** Components below the path that are still reported; undefined is all. */
  readonly depth: number | undefined;
  /** Order of registration. */
  readonly serial: number;
}

/** A change that watches may be told of. */
export interface Change {
  readonly path: Path;
  /** Who may read these may know of the change: the node's permissions now, before, and its parent's. */
  readonly node: Permissions;
  readonly before: Permissions | undefined;
  readonly parent: Permissions | undefined;
  /** What was removed, with everything below it. */
  readonly removed: TreeNode | undefined;
}

interface Level {
  watches: Watch[];
  below: Map<string, Level> | undefined;
}

const pathOf = (watch: Watch): readonly string[] => watch.path.parts;

/** Bytes that a watch is charged. */
export const watchSize = (watch: Watch): number => watchOverhead + watch.path.text.length + watch.token.length;

export class Watches {
  readonly #root: Level = { watches: [], below: undefined };
  readonly #special = new Map<string, Watch[]>();
  #serial = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }
  /** Registers a watch; undefined when the connection has the same path and token already. */
  add(connection: Connection, path: Path, sent: string, token: string, depth: number | undefined): Watch | undefined {
    if (connection.watches.some((w) => w.path.text === path.text && w.token === token)) return undefined;
    const watch: Watch = { connection, path, sent, token, depth, serial: ++this.#serial };
    if (path.special) {
      const list = this.#special.get(path.text);
      if (list) list.push(watch);
      else this.#special.set(path.text, [watch]);
    } else {
      let level = this.#root;
      for (const name of path.parts) {
        level.below ??= new Map();
        let next = level.below.get(name);
        if (next === undefined) level.below.set(name, (next = { watches: [], below: undefined }));
        level = next;
      }
      level.watches.push(watch);
    }
    connection.watches.push(watch);
    const usage = connection.domain.usage;
    usage.watches++;
    usage.memory += watchSize(watch);
    connection.domain.note();
    this.#count++;
    return watch;
  }
  /** Takes a watch off; the connection's list is the caller's. */
  remove(watch: Watch): void {
    if (watch.path.special) {
      const list = this.#special.get(watch.path.text) ?? [];
      list.splice(list.indexOf(watch), 1);
      if (list.length === 0) this.#special.delete(watch.path.text);
    } else {
      this.#prune(watch);
    }
    const usage = watch.connection.domain.usage;
    usage.watches--;
    usage.memory -= watchSize(watch);
    this.#count--;
  }
  /** Tells everybody who watches and may know; `removed` paths below a removed node are told to those who watch them. */
  fire(change: Change): void {
    if (this.#count === 0) return;
    const parts = change.path.parts;
    const met: Watch[] = [];
    let level: Level | undefined = this.#root;
    for (let depth = 0; level !== undefined; depth++) {
      for (const watch of level.watches) {
        if (watch.depth === undefined || parts.length - depth <= watch.depth) met.push(watch);
      }
      if (depth === parts.length) break;
      level = level.below?.get(parts[depth] as string);
    }
    if (met.length > 1) met.sort((a, b) => a.serial - b.serial);
    for (const watch of met) if (mayKnow(watch.connection, change)) send(watch, eventPath(watch, change.path.text));
    if (change.removed !== undefined && level?.below !== undefined) this.#fireBelow(level, change.removed);
  }
  /** Tells those who watch a special path: by name alone, by name with a depth, or for this domain alone. */
  fireSpecial(name: string, domid: number, permissions: Permissions): void {
    if (this.#count === 0) return;
    const may = (watch: Watch) => permissions.allows(watch.connection.domain, reading);
    for (const watch of this.#special.get(name) ?? []) {
      if (may(watch)) send(watch, (watch.depth ?? 0) > 0 ? `${name}/${domid}` : name, false);
    }
    for (const watch of this.#special.get(`${name}/${domid}`) ?? []) if (may(watch)) send(watch, watch.sent, false);
  }

  /** Watches below a removed node hear of the removal of what they watch, if it was there. Without recursion: paths are the guests'. */
  #fireBelow(top: Level, removed: TreeNode): void {
    const line: { level: Level; node: TreeNode }[] = [{ level: top, node: removed }];
    const met: { watch: Watch; node: TreeNode; parent: TreeNode }[] = [];
    for (let at = line.pop(); at !== undefined; at = line.pop()) {
      for (const [name, level] of at.level.below ?? []) {
        const node = at.node.child(name);
        if (node === undefined) continue;
        for (const watch of level.watches) met.push({ watch, node, parent: at.node });
        line.push({ level, node });
      }
    }
    met.sort((a, b) => a.watch.serial - b.watch.serial);
    for (const { watch, node, parent } of met) {
      const domain = watch.connection.domain;
      if (node.permissions.allows(domain, reading) || parent.permissions.allows(domain, reading))
        send(watch, watch.sent);
    }
  }
  /** Takes the watch out of its level, and the levels away that nobody needs. */
  #prune(watch: Watch): void {
    const way: Level[] = [this.#root];
    for (const name of pathOf(watch)) {
      const next = way.at(-1)?.below?.get(name);
      if (next === undefined) return;
      way.push(next);
    }
    const level = way.at(-1) as Level;
    level.watches.splice(level.watches.indexOf(watch), 1);
    for (let i = way.length - 1; i > 0; i--) {
      const each = way[i] as Level;
      if (each.watches.length > 0 || (each.below?.size ?? 0) > 0) return;
      way[i - 1]?.below?.delete(pathOf(watch)[i - 1] as string);
    }
  }
}

function mayKnow(connection: Connection, change: Change): boolean {
  const domain = connection.domain;
  return (
    change.node.allows(domain, reading) ||
    change.before?.allows(domain, reading) === true ||
    change.parent?.allows(domain, reading) === true
  );
}

/** A changed path in the form of the watch. */
function eventPath(watch: Watch, path: string): string {
  const relative = watch.path.text.length - watch.sent.length;
  return relative > 0 ? path.slice(relative) : path;
}

/** Queues the event; the connection's own limit on what may wait is its own loss. */
export function send(watch: Watch, path: string, merge = true): void {
  const text = `${path}\0${watch.token}\0`;
  if (text.length > payloadMax) return;
  watch.connection.event(text, merge);
}
