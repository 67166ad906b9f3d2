/**
 * Connections that stop being HTTP after their first request (`POST /cli`, guests of other hosts). Node's HTTP server never gives such a connection
 * back, so the first bytes are looked at before it gets it:
 *
 *   new ──first bytes──▶ no raw route ──▶ handed to HTTP, bytes put back
 *                    └─▶ raw route ──head and body are there──▶ handed to the route
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { callerOf, type Peer } from './caller.ts';
import { errorPage, titleOf } from './pages.ts';
import type { RawRoute } from './routes.ts';

const headLimit = 16 * 1024;
const patienceMs = 20_000;

/** Looks at the first bytes of a connection; calls `http` with those put back unless a raw route takes it. */
export function sniff(socket: Socket, peer: Peer, routes: readonly RawRoute[], http: () => void): void {
  if (routes.length === 0) {
    http();
    return;
  }
  const starts = routes.map((r) => Buffer.from(`${r.method.slice('RAW-'.length)} ${r.path}`));
  let seen = Buffer.alloc(0);
  const look = () => {
    const chunk = socket.read() as Buffer | null;
    if (chunk) seen = Buffer.concat([seen, chunk]);
    const match = routes.find((_, i) => begins(seen, starts[i] as Buffer));
    const undecided = !match && starts.some((s) => begins(s, seen));
    if (undecided && (chunk || seen.length === 0)) return;
    stop();
    if (match) new RawHead(socket, peer, match, seen);
    else {
      http();
      if (seen.length > 0) socket.unshift(seen);
    }
  };
  const gone = () => {
    stop();
    socket.destroy();
  };
  const stop = () => {
    clearTimeout(timer);
    socket.off('readable', look);
    socket.off('end', gone);
    socket.off('error', gone);
  };
  const timer = setTimeout(gone, patienceMs);
  socket.on('readable', look);
  socket.on('end', gone);
  socket.on('error', gone);
}
const begins = (text: Buffer, start: Buffer): boolean =>
  text.length >= start.length && text.subarray(0, start.length).equals(start);

/** Collects head and body of one raw request. */
class RawHead {
  readonly #socket: Socket;
  readonly #peer: Peer;
  readonly #route: RawRoute;
  readonly #timer: NodeJS.Timeout;
  #seen: Buffer;

  constructor(socket: Socket, peer: Peer, route: RawRoute, seen: Buffer) {
    this.#socket = socket;
    this.#peer = peer;
    this.#route = route;
    this.#seen = seen;
    this.#timer = setTimeout(() => this.#refuse(408, 'the request did not arrive in time'), patienceMs);
    socket.on('readable', this.#read);
    socket.on('end', this.#gone);
    socket.on('error', this.#gone);
    this.#look();
  }
  readonly #gone = (): void => {
    this.#stop();
    this.#socket.destroy();
  };
  readonly #read = (): void => {
    const chunk = this.#socket.read() as Buffer | null;
    if (!chunk) return;
    this.#seen = Buffer.concat([this.#seen, chunk]);
    this.#look();
  };
  #stop(): void {
    clearTimeout(this.#timer);
    this.#socket.off('readable', this.#read);
    this.#socket.off('end', this.#gone);
    this.#socket.off('error', this.#gone);
  }
  #refuse(status: number, why: string): void {
    this.#stop();
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.end(
      `HTTP/1.1 ${status} ${titleOf(status)}\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n${errorPage(status, why)}`,
    );
  }
  #look(): void {
    const end = this.#seen.indexOf('\r\n\r\n');
    if ((end < 0 ? this.#seen.length : end) > headLimit)
      this.#refuse(431, `the head of a request may have ${headLimit} bytes`);
    else if (end >= 0) this.#headRead(end);
  }
  #headRead(end: number): void {
    const [request = '', ...lines] = this.#seen.toString('latin1', 0, end).split('\r\n');
    const headers: IncomingHttpHeaders = {};
    for (const line of lines) {
      const at = line.indexOf(':');
      if (at > 0) headers[line.slice(0, at).trim().toLowerCase()] = line.slice(at + 1).trim();
    }
    const length = Number(headers['content-length'] ?? 0);
    const from = end + 4;
    if (!Number.isSafeInteger(length) || length < 0) this.#refuse(400, 'content-length is not a number');
    else if (length > this.#route.bodyLimit) this.#refuse(413, `the body may have ${this.#route.bodyLimit} bytes`);
    else if (this.#seen.length >= from + length) {
      this.#stop();
      this.#hand(request.split(' ')[1] ?? '/', headers, from, from + length);
    }
  }
  #hand(path: string, headers: IncomingHttpHeaders, from: number, to: number): void {
    const socket = this.#socket;
    const body = Buffer.from(this.#seen.subarray(from, to));
    if (this.#seen.length > to) socket.unshift(this.#seen.subarray(to));
    socket.on('error', () => socket.destroy());
    const caller = callerOf(this.#peer, headers['user-agent'], socket);
    Promise.resolve(this.#route.handle({ path, headers, body, socket, caller })).catch(() => socket.destroy());
  }
}
