/** What every handler gets: who calls, under which task, and the neighbours as contracts. */
import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Network } from '../contracts/network.ts';
import type { Storage } from '../contracts/storage.ts';
import type { Xenops } from '../contracts/xenops.ts';
import type { Class, Handlers, Ref, Role } from '../datamodel/dsl.ts';
import type { Rec } from '../datamodel/index.ts';
import type { Db } from '../db/db.ts';
import type { Events } from './events.ts';
import type { Logins } from './login.ts';
import type { NbdFront } from './nbd/front.ts';
import type { Registrar } from './registrar.ts';
import type { Caller } from './routes.ts';
import type { LiveSession, Sessions } from './sessions.ts';
import type { Tasks } from './tasks.ts';
import type { Unimplemented } from './unimplemented.ts';

/** What lives as long as the server. */
export interface House {
  readonly db: Db;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly xenops: Xenops;
  readonly storage: Storage;
  /** Connects to a socket that storage named. */
  readonly connect: (path: string) => Promise<Duplex>;
  readonly network: Network;
  /** This host and its pool. */
  readonly host: Ref<'host'>;
  readonly pool: Ref<'pool'>;
  /** The folder of the installation's state. */
  readonly dataDir: string;
  readonly version: string;
  /** `https://address` that this host listens on. */
  readonly url: string;
  /** Folders that kernels and ramdisks of guests may come from. */
  readonly kernelDirs: readonly string[];
  /** Keeps the domain manager's descriptions equal to the records. */
  readonly registrar: Registrar;
  /** Lets whoever gets the answer bring guests here, to `address` if this host listens there; or says why nobody can. */
  invite(address: string): Promise<Invitation | { readonly refused: string }>;
}
export interface Invitation {
  /** `https://HOST:PORT/` of this host's API. */
  readonly base: string;
  readonly ticket: string;
  /** PEM; '' without TLS. */
  readonly certificate: string;
}
export interface Session {
  readonly ref: Ref<'session'>;
  /** Root on this host or the pool itself: no role check. */
  readonly superuser: boolean;
  readonly user: string;
  readonly roles: ReadonlySet<Role>;
  readonly originator: string;
  /** Aborted when the session ends. */
  readonly ended: AbortSignal;
}
/** The task of a call. Calls without a row have a `DummyRef:` and the same members. */
export interface TaskHandle {
  readonly ref: Ref<'task'>;
  /** Aborted by `task.cancel` and by the end of the server. */
  readonly signal: AbortSignal;
  /** 0..1; throttled before it is written. */
  progress(fraction: number): void;
  /** From now on `task.cancel` works. */
  cancellable(): void;
}
/** The server's own parts, for the handlers of sessions, tasks and events. */
export interface Services {
  readonly sessions: Sessions;
  readonly tasks: Tasks;
  readonly events: Events;
  readonly logins: Logins;
  readonly nbd: NbdFront;
  /** Sets root's password. */
  changePassword(password: string): Promise<void>;
}
/** What work on behalf of a task needs: of a call, or of a transfer over HTTP. */
export interface Working extends House {
  readonly task: TaskHandle;
}
export interface Ctx extends Working {
  readonly session: LiveSession;
  /** The connection that the call came through. */
  readonly caller: Caller;
  readonly server: Services;
  /** The method as called, `VM.start`. */
  readonly method: string;
  /** Checks a role in the middle of a handler: RBAC_PERMISSION_DENIED. */
  assertRole(permission: string, role: Role): void;
  /** Calls another message of the API in the same session and task, with all checks but the role. */
  call(method: string, args: Readonly<Record<string, unknown>>): Promise<unknown>;
}

type Implemented<C extends Class, H> = {
  readonly [M in keyof H as M extends string ? (`${C['name']}.${M}` extends Unimplemented ? never : M) : never]: H[M];
};
type Self<C extends Class> = { readonly self: Ref<C['name']> };
interface Life<C extends Class> {
  readonly create?: (ctx: Ctx, a: { readonly args: Readonly<Record<string, unknown>> }) => Promise<string> | string;
  readonly destroy?: (ctx: Ctx, a: Self<C>) => Promise<void> | void;
}
type Reads<C extends Class> = 'get_record' | 'get_by_uuid' | `get_${keyof C['fields'] & string}`;
/**
 * Server logic behind implicit messages: `create`, `destroy`, `set_<field>` of fields whose setter does more than write, and
 * getters of classes that have more objects than rows.
 */
export type Overrides<C extends Class> = Omit<Life<C>, keyof C['messages']> & {
  readonly [K in Exclude<Reads<C>, keyof C['messages']>]?: (ctx: Ctx, a: never) => unknown;
} & {
  readonly [K in keyof C['fields'] as K extends string ? Exclude<`set_${K}`, keyof C['messages']> : never]?: (
    ctx: Ctx,
    a: { self: Ref<C['name']>; value: never },
  ) => Promise<void> | void;
};
/** The handlers of a class: every custom message that is not listed as unimplemented, or it does not compile. */
export type ClassHandlers<C extends Class> = Implemented<C, Handlers<C, Ctx>> & Overrides<C>;
/** Some handlers of a class: for files that share a class between them. */
export type SomeHandlers<C extends Class> = Partial<Handlers<C, Ctx>> & Overrides<C>;
export type { Rec };
