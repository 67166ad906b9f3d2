/** What other rooms plug into the HTTP server: handlers by method and path prefix, with the caller already known. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Role } from '../datamodel/dsl.ts';
import type { Session, TaskHandle } from './context.ts';

/** Who is at the other end of a connection. */
export interface Caller {
  /** Connected through the local socket: root. */
  readonly local: boolean;
  /** Address without port; `local` for the local socket. */
  readonly address: string;
  readonly userAgent: string;
  /** Aborted when the connection ends. Made when first asked for. */
  gone(): AbortSignal;
}
interface Asked {
  readonly url: URL;
  readonly caller: Caller;
  /** From `session_id` (cookie, then query), then Basic; root through the local socket. */
  readonly session: Session;
}
export interface HttpCall extends Asked {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The task named by `task_id`, or a new one when the route has a `task`. It ends as `handle` ends. */
  readonly task: TaskHandle;
}
export interface SocketCall extends Asked {
  readonly req: IncomingMessage;
  /** The connection itself; nothing was answered on it. */
  readonly socket: Duplex;
  /** What the client sent after the head already. */
  readonly head: Buffer;
}
export interface RawCall {
  /** Path with query, as sent. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** As many bytes as `content-length` said, at most `bodyLimit`. */
  readonly body: Buffer;
  /** The connection, no longer HTTP; nothing was answered on it. */
  readonly socket: Duplex;
  readonly caller: Caller;
}
interface Guarded {
  /** Longest prefix wins. */
  readonly path: string;
  /** The weakest role that may use it; RBAC permission `http/<permission>`. Absent: any session. */
  readonly role?: Role;
  readonly permission?: string;
}
/** Requests with an ordinary answer. Errors thrown before the head was sent become an HTML page. */
export interface HttpRoute extends Guarded {
  readonly method: 'GET' | 'PUT' | 'POST';
  /** False: no session is needed; `session` then is one without any role. */
  readonly auth?: false;
  /** The label of the task that shows the transfer, when the client names none. */
  readonly task?: string;
  /** Awaited. Text, or a list of references, that it answers becomes the result of the task. */
  handle(call: HttpCall): unknown;
}
/** `CONNECT path`, and `GET path` with an upgrade to WebSocket. */
export interface SocketRoute extends Guarded {
  readonly method: 'CONNECT' | 'UPGRADE';
  handle(call: SocketCall): Promise<void> | void;
}
/** A `POST` or `PUT` whose connection turns to another protocol without an answer of HTTP. No session is looked for. */
export interface RawRoute {
  readonly method: 'RAW-POST' | 'RAW-PUT';
  readonly path: string;
  /** Bytes. */
  readonly bodyLimit: number;
  handle(call: RawCall): Promise<void> | void;
}
export type Route = HttpRoute | SocketRoute | RawRoute;

/** Thrown by routes: an answer other than 200. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}
