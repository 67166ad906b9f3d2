/**
 * The store that domains and the toolstack meet in: a tree of small values with permissions, transactions and watches.
 * One contract for in-process use and for a socket client; a connection speaks as one domain (the toolstack as domain 0).
 *
 * Paths are absolute (`/local/domain/3/name`), or relative to the connection's home. A name that cannot be (empty, a
 * character outside `[A-Za-z0-9-/_@]`, too long) is refused with EINVAL. Values are bytes; strings go in and out as UTF-8.
 */
import { errorsOf } from './contract.ts';

/** Who may do what: the first entry is the owner, whose letter is for everybody who is not named after it. */
export interface StorePermission {
  readonly domid: number;
  /** `n` nothing, `r` read, `w` write, `b` both. */
  readonly access: 'n' | 'r' | 'w' | 'b';
}

/** What may be done inside and outside a transaction. Every call throws `Store_error` with the protocol's error name. */
export interface StoreOperations {
  /** ENOENT when there is no such node. */
  read(path: string): Promise<string>;
  /** As `read`; undefined when there is no such node. */
  find(path: string): Promise<string | undefined>;
  readBytes(path: string): Promise<Uint8Array>;
  /** Makes the node, and the parents that are missing. */
  write(path: string, value: string | Uint8Array): Promise<void>;
  /** Nothing happens when it is there. */
  mkdir(path: string): Promise<void>;
  /** With everything below it; nothing happens when it is not there but its parent is. */
  rm(path: string): Promise<void>;
  /** Names of the children, sorted. */
  directory(path: string): Promise<string[]>;
  permissions(path: string): Promise<StorePermission[]>;
  setPermissions(path: string, permissions: readonly StorePermission[]): Promise<void>;
}

export interface Store extends StoreOperations {
  /**
   * Runs `work` in a transaction and commits; again when it met a conflict (EAGAIN), so `work` must have no effect but on
   * the store. Throws what `work` throws, and nothing is changed then.
   */
  transaction<T>(work: (inside: StoreOperations) => Promise<T>): Promise<T>;
  /**
   * Calls `changed` once at first and after every change at or below `path` (or of `@introduceDomain`, `@releaseDomain`), with the path
   * that changed. Answers when the watch is set; the result ends it.
   */
  watch(
    path: string,
    changed: (path: string) => void,
    options?: { readonly depth?: number },
  ): Promise<() => Promise<void>>;
  /** A domain's ring is served from now on. */
  introduce(domid: number, gfn: bigint, port: number): Promise<void>;
  /** Its ring is served no longer; its watches and transactions go. */
  release(domid: number): Promise<void>;
  /** A domain that had shut down runs again: its next shutdown is told again by `@releaseDomain`. */
  resume(domid: number): Promise<void>;
  isIntroduced(domid: number): Promise<boolean>;
  /** `/local/domain/<domid>`. */
  domainPath(domid: number): Promise<string>;
  /** Ends the connection with its watches and transactions. */
  close(): Promise<void>;
}

export const storeErrors = errorsOf({
  Store_error: 'xenstore: {code}: {operation} {path}',
  Store_gone: 'the connection to xenstore {address} ended: {reason}',
});
