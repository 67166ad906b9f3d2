/** The XenAPI server as one value: start it with the house's parts, call it, close it. */
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Wire } from '../wire/xmlrpc-decode.ts';
import type { House, Services } from './context.ts';
import { Dispatcher } from './dispatch.ts';
import { Events } from './events.ts';
import { handlers as allHandlers } from './handlers/index.ts';
import { type Endpoint, HttpServer, type Patience } from './http.ts';
import { type Authenticate, type Identity, Logins } from './login.ts';
import { NbdFront } from './nbd/front.ts';
import { plainResult } from './prebuilt.ts';
import { ensureRoles } from './rbac.ts';
import { Router } from './router.ts';
import type { Caller, Route } from './routes.ts';
import { Sessions } from './sessions.ts';
import type { Registry } from './table.ts';
import { reviveTasks, Tasks } from './tasks.ts';
import { ensureCertificate } from './tls.ts';

export type { Identity };
export interface Listen {
  readonly tcp?: Endpoint;
  /** The certificate is made in `<dataDir>/tls` when there is none. */
  readonly tls?: Endpoint;
  /** Absolute path of the local socket, whose peers are root. */
  readonly socketPath?: string;
}
export interface ApiParts {
  readonly house: House;
  /** Answers undefined for a wrong name or password; takes the same time for both. See `filePassword`. */
  readonly authenticate: Authenticate;
  /** Sets root's password. */
  changePassword(password: string): Promise<void>;
  readonly listen: Listen;
  readonly routes?: readonly Route[];
  /** Milliseconds that a failed login waits; 5000 when absent. */
  readonly loginDelayMs?: number;
  /** How long clients may take to send; 20 s for heads and 30 s for bodies when absent. */
  readonly patience?: Patience;
  /** Connections at once on one listening socket; one address gets half of them. 4000 when absent. */
  readonly connections?: number;
  /** Other handlers than those of `handlers/index.ts`: for tests. */
  readonly handlers?: Registry;
}
export interface RunningApi {
  /** With the ports that were chosen for port 0. */
  readonly listening: Listen;
  readonly services: Services;
  /** A call in this process: `method` and parameters as on the wire (session first); answers plain values. */
  call(caller: Caller, method: string, params: readonly unknown[]): Promise<unknown>;
  /** A session of root, for the house's own work. */
  rootSession(originator: string): string;
  /** Stops listening, ends sessions, blocked calls and tasks; answers when connections are closed. */
  close(): Promise<void>;
}

/** How often sessions and tasks are looked through for what has expired, and the pool's heartbeat goes out. Milliseconds. */
const sweepMs = 60_000;

/** Rejects when a socket cannot be listened on (`EADDRINUSE`); nothing is left open then. */
export async function startApi(parts: ApiParts): Promise<RunningApi> {
  const { house } = parts;
  const server = makeServices(parts);
  ensureRoles(house.db);
  reviveTasks(house.db, house.clock.now());
  const dispatcher = new Dispatcher(house, server, parts.handlers ?? (allHandlers as Registry));
  const router = new Router({ routes: parts.routes ?? [], server, log: house.log });
  const { patience, connections } = parts;
  const http = new HttpServer({
    dispatcher,
    router,
    version: house.version,
    ...(patience ? { patience } : {}),
    ...(connections ? { connections } : {}),
  });
  const stopSweep = sweep(house, server);
  const close = async () => {
    stopSweep();
    server.tasks.close();
    server.logins.close();
    server.sessions.endAll();
    await server.nbd.close();
    await http.close();
    server.events.close();
  };
  try {
    const listening = await listen(parts, http, server.nbd);
    return {
      listening,
      services: server,
      call: async (caller, method, params) =>
        plainResult((await dispatcher.call(caller, method, params as readonly Wire[])).value),
      rootSession: (originator) =>
        server.sessions.create({ user: 'root', superuser: true, originator, pool: true }).ref,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function makeServices({ house, authenticate, changePassword, loginDelayMs = 5000 }: ApiParts): Services {
  const { db, clock } = house;
  const sessions = new Sessions(house);
  return {
    sessions,
    tasks: new Tasks(house),
    events: new Events({ db, clock }),
    logins: new Logins({ sessions, clock, authenticate, delayMs: loginDelayMs }),
    changePassword,
    nbd: new NbdFront(house, sessions),
  };
}
/** Ends what has expired, and reports the pool as changed: clients see by it that events still come. */
function sweep({ clock, log, db, pool }: House, { sessions, tasks }: Services): () => void {
  let stop: () => void;
  const next = () => {
    stop = clock.after(sweepMs, () => {
      try {
        sessions.expire();
        tasks.expire();
        db.touch('pool', pool);
      } catch (error) {
        log.error('looking through sessions and tasks failed', { error: String(error) });
      }
      next();
    });
  };
  next();
  return () => stop();
}
async function listen({ house, listen }: ApiParts, http: HttpServer, nbd: NbdFront): Promise<Listen> {
  const tcp = listen.tcp && (await http.listenTcp(listen.tcp));
  const certificate = listen.tls && (await ensureCertificate(join(house.dataDir, 'tls'), names(), house.clock.now()));
  const tls = listen.tls && certificate && (await http.listenTls(listen.tls, certificate));
  if (listen.tls && certificate) nbd.allow(certificate, listen.tls.host);
  const socketPath = listen.socketPath && (await http.listenLocal(listen.socketPath));
  return { tcp, tls, socketPath };
}
/** What clients may call this host. */
function names(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((i) => i.address));
  const own = addresses.filter((a) => !a.startsWith('fe80:'));
  return [...new Set([hostname(), 'localhost', '127.0.0.1', '::1', ...own])];
}
