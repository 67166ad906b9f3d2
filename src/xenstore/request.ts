/** One request while it is answered, and what every operation does with it: arguments, paths, access, replies. */
import { type ErrorName, latin1, op } from '../wire/xenstore.ts';
import type { Connection } from './connection.ts';
import type { Edits } from './edits.ts';
import type { Path, Paths } from './path.ts';
import { ancestor } from './path.ts';
import type { Access } from './permissions.ts';
import { seen, type Transaction } from './transaction.ts';
import type { TreeNode } from './tree.ts';

/** Made once and filled anew for every request, so that a request costs no allocation. */
export class Request {
  connection!: Connection;
  type = 0;
  requestId = 0;
  transactionId = 0;
  /** The payload is from `from` to `to`. */
  bytes!: Buffer;
  from = 0;
  to = 0;
  /** The one it is part of. */
  transaction: Transaction | undefined;
  /** Of the transaction's tree, or the store's. */
  edits!: Edits;
  /** Why `find` and the likes answered undefined. */
  error: ErrorName = 'EINVAL';
  readonly #paths: Paths;

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /** All strings of the payload, each with its NUL; undefined when the last has none. */
  strings(): string[] | undefined {
    if (this.from === this.to) return [];
    if (this.bytes[this.to - 1] !== 0) return undefined;
    return latin1(this.bytes, this.from, this.to - 1).split('\0');
  }
  /** Where the NUL is that ends the first string; -1 when there is none. */
  firstEnd(): number {
    const bytes = this.bytes;
    for (let at = this.from; at < this.to; at++) if (bytes[at] === 0) return at;
    return -1;
  }
  /** The path that is the whole payload; undefined with `error` set when it is not one. */
  onlyPath(): Path | undefined {
    this.error = 'EINVAL';
    const end = this.firstEnd();
    if (end < 0 || end !== this.to - 1) return undefined;
    return this.path(latin1(this.bytes, this.from, end));
  }
  /** The path that a string names for this caller; undefined with `error` set. */
  path(text: string): Path | undefined {
    this.error = 'EINVAL';
    const domain = this.connection.domain;
    return this.#paths.resolve(text, domain.home, domain.limit('path-max'));
  }
  /** The path of the first `depth` parts. */
  ancestor(path: Path, depth: number): Path {
    return this.#paths.resolve(ancestor(path, depth), '/', 0) as Path;
  }

  /** The node, when it is there and may be accessed so; otherwise undefined with `error` set. `what` is what the answer depends on. */
  find(path: Path, access: Access, what: number): TreeNode | undefined {
    if (path.special) {
      this.error = 'EINVAL';
      return undefined;
    }
    if (!this.see(path, what)) return undefined;
    const node = this.edits.tree.find(path);
    if (node === undefined) {
      this.error = this.missing(path, access);
      return undefined;
    }
    if (!node.permissions.allows(this.connection.domain, access)) {
      this.error = 'EACCES';
      return undefined;
    }
    return node;
  }
  /** What is answered for a node that is not there: whether it is hidden from who may not look at where it would be. */
  missing(path: Path, access: Access): ErrorName {
    if (this.connection.domain.privileged) return 'ENOENT';
    const { node, depth } = this.edits.tree.deepest(path);
    if (this.transaction !== undefined) {
      // It depends on where the way ends, too: a node made further down would have permissions of its own.
      if (!this.see(this.ancestor(path, depth), seen.permissions)) return this.error;
      if (!this.see(this.ancestor(path, depth + 1), 0)) return this.error;
    }
    return node.permissions.allows(this.connection.domain, access) ? 'ENOENT' : 'EACCES';
  }
  /** Tells the transaction that the answer depends on the node; false with `error` set when it may touch no more. */
  see(path: Path, what: number): boolean {
    if (this.transaction === undefined || this.transaction.see(path, what)) return true;
    this.error = 'ENOSPC';
    return false;
  }

  ok(): undefined {
    this.connection.output.ok(this.type, this.requestId, this.transactionId);
    return undefined;
  }
  /** Answers with bytes, one per character. */
  reply(text: string): undefined {
    this.connection.output.text(this.type, this.requestId, this.transactionId, text);
    return undefined;
  }
  fail(error: ErrorName): void {
    this.connection.output.text(op.error, this.requestId, this.transactionId, `${error}\0`);
  }
}

const domidPattern = /^\d{1,5}$/;
/** A domain's number as it is sent; undefined when it is none. */
export function parseDomid(text: string | undefined): number | undefined {
  if (text === undefined || !domidPattern.test(text)) return undefined;
  const domid = Number(text);
  return domid <= 0xffff ? domid : undefined;
}
/** A number of 32 bits as it is sent. */
export function parseNumber(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const n = Number(text);
  return n <= 0xffffffff ? n : undefined;
}
