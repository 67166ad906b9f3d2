/** Finds the route of a request, makes sure of who asks, and runs it under its task. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Log } from '../base/log.ts';
import { t } from '../datamodel/dsl.ts';
import { toApiError } from '../datamodel/errors.ts';
import { xmlValue } from '../wire/xmlrpc.ts';
import { basicOf, callerOf, cookies, type Peer } from './caller.ts';
import type { Services, TaskHandle } from './context.ts';
import { cors, errorPage, sendError, titleOf } from './pages.ts';
import { assertRole } from './rbac.ts';
import { type Caller, HttpError, type HttpRoute, type RawRoute, type Route, type SocketRoute } from './routes.ts';
import { type LiveSession, nobody } from './sessions.ts';

export interface RouterParts {
  readonly routes: readonly Route[];
  readonly server: Services;
  readonly log: Log;
}

/** Longest prefix first. */
const byLength = <R extends Route>(routes: readonly R[]): R[] =>
  [...routes].sort((a, b) => b.path.length - a.path.length);

export class Router {
  readonly #parts: RouterParts;
  readonly #http: readonly HttpRoute[];
  readonly #sockets: readonly SocketRoute[];
  readonly raw: readonly RawRoute[];

  constructor(parts: RouterParts) {
    this.#parts = parts;
    const routes = byLength(parts.routes);
    this.raw = routes.flatMap((r) => (r.method === 'RAW-POST' || r.method === 'RAW-PUT' ? [r] : []));
    this.#sockets = routes.flatMap((r) => (r.method === 'CONNECT' || r.method === 'UPGRADE' ? [r] : []));
    this.#http = routes.flatMap((r) => (r.method === 'GET' || r.method === 'PUT' || r.method === 'POST' ? [r] : []));
  }

  /** Serves a request with an ordinary answer. Never rejects. */
  async serve(peer: Peer, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = urlOf(req);
    const found = url && this.#http.filter((r) => url.pathname.startsWith(r.path));
    const route = found?.find((r) => r.method === req.method || (r.method === 'GET' && req.method === 'HEAD'));
    if (!url) return sendError(res, 400, 'the path cannot be read');
    if (!found || found.length === 0) return sendError(res, 404, `nothing lives at ${url.pathname}`);
    if (!route) return sendError(res, 501, `${req.method} is not served at ${url.pathname}`);
    const caller = callerOf(peer, req.headers['user-agent'], res, req.socket);
    const access = new Access(this.#parts.server, caller, req, url);
    try {
      const session = route.auth === false ? nobody : await access.session();
      check(session, route);
      await this.#underTask(route, url, session, res, (task) => route.handle({ req, res, url, caller, session, task }));
      if (!res.headersSent) res.writeHead(200, { ...cors, 'content-length': 0 });
      res.end();
    } catch (error) {
      this.#parts.log.info('request failed', { method: req.method, path: url.pathname, error: errorText(error) });
      refuse(res, error);
    } finally {
      access.close();
    }
  }
  async #underTask(
    route: HttpRoute,
    url: URL,
    session: LiveSession,
    res: ServerResponse,
    work: (task: TaskHandle) => unknown,
  ): Promise<void> {
    const { tasks } = this.#parts.server;
    const given = url.searchParams.get('task_id');
    const subtaskOf = url.searchParams.get('subtask_of') ?? undefined;
    if (!given && route.task === undefined) {
      await work(tasks.dummy(`${route.method} ${route.path}`));
      return;
    }
    const ref = given || tasks.create({ label: route.task ?? route.path, session: session.ref, subtaskOf });
    res.setHeader('task-id', ref);
    await tasks.run(ref, async (task) => work(task), resultOf);
  }

  /** `CONNECT` and upgrades. Never rejects. */
  async connect(
    method: SocketRoute['method'],
    peer: Peer,
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<void> {
    socket.on('error', () => socket.destroy());
    const url = urlOf(req);
    const route = url && this.#sockets.find((r) => r.method === method && url.pathname.startsWith(r.path));
    if (!url || !route) return refuseSocket(socket, new HttpError(404, `${method} is not served here`));
    const caller = callerOf(peer, req.headers['user-agent'], socket);
    const access = new Access(this.#parts.server, caller, req, url);
    try {
      const session = await access.session();
      check(session, route);
      await route.handle({ req, socket, head, url, caller, session });
    } catch (error) {
      this.#parts.log.info('connection refused', { method, path: url.pathname, error: errorText(error) });
      refuseSocket(socket, error);
    } finally {
      access.close();
    }
  }
}

function resultOf(answer: unknown): string {
  if (typeof answer === 'string') return xmlValue(t.string, answer);
  return Array.isArray(answer) ? xmlValue(t.set(t.string), answer) : '<value></value>';
}
/** Never throws: `undefined` for what is no path. */
function urlOf(req: IncomingMessage): URL | undefined {
  const target = req.url ?? '/';
  return (
    URL.parse(
      target.startsWith('/') ? `http://host${target}` : target.includes('://') ? target : `http://host/${target}`,
    ) ?? undefined
  );
}
function check(session: LiveSession, route: HttpRoute | SocketRoute): void {
  if (route.role) assertRole(session, `http/${route.permission ?? route.path.slice(1)}`, route.role);
}
const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 300);

/** Who asks: `session_id` as cookie or in the query, Basic, or root through the local socket. */
class Access {
  readonly #server: Services;
  readonly #caller: Caller;
  readonly #req: IncomingMessage;
  readonly #url: URL;
  /** A session that was made for this request alone. */
  #own: string | undefined;

  constructor(server: Services, caller: Caller, req: IncomingMessage, url: URL) {
    this.#server = server;
    this.#caller = caller;
    this.#req = req;
    this.#url = url;
  }
  async session(): Promise<LiveSession> {
    const { sessions, logins } = this.#server;
    const ref = cookies(this.#req).get('session_id') ?? this.#url.searchParams.get('session_id');
    if (ref) return sessions.get(ref);
    const basic = basicOf(this.#req);
    if (!basic && !this.#caller.local) throw new HttpError(401, 'give a session_id or log in');
    const session = await logins.login(this.#caller, basic?.user ?? 'root', basic?.password ?? '', 'http');
    this.#own = session.ref;
    return session;
  }
  close(): void {
    if (this.#own) this.#server.sessions.end(this.#own);
  }
}

const unauthorised = new Set(['SESSION_INVALID', 'SESSION_AUTHENTICATION_FAILED']);
/** The status, the text and the headers that tell of an error. */
function refusal(thrown: unknown): { status: number; why: string; headers: Readonly<Record<string, string>> } {
  if (thrown instanceof HttpError && thrown.status !== 401)
    return { status: thrown.status, why: thrown.message, headers: thrown.headers };
  const error = thrown instanceof HttpError ? undefined : toApiError(thrown);
  const why = error ? error.wire.join(' ') : (thrown as Error).message;
  if (!error || unauthorised.has(error.code))
    return { status: 401, why, headers: { 'www-authenticate': 'Basic realm="guesthouse"' } };
  if (error.code === 'RBAC_PERMISSION_DENIED') return { status: 403, why, headers: {} };
  const missing = error.code === 'HANDLE_INVALID' || error.code === 'UUID_INVALID';
  return { status: missing ? 404 : 500, why, headers: {} };
}
function refuse(res: ServerResponse, error: unknown): void {
  const { status, why, headers } = refusal(error);
  if (status >= 300 && status < 400 && !res.headersSent) {
    res.writeHead(status, { ...cors, ...headers, 'content-length': 0 });
    res.end();
  } else sendError(res, status, why, headers);
}
function refuseSocket(socket: Duplex, error: unknown): void {
  if (socket.destroyed) return;
  const { status, why, headers } = refusal(error);
  const body = errorPage(status, why);
  const extra = Object.entries(headers).map(([k, v]) => `${k}: ${v}\r\n`);
  const head = `HTTP/1.1 ${status} ${titleOf(status)}\r\n${extra.join('')}content-type: text/html\r\nconnection: close\r\n`;
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
