/** The listening sockets: plain TCP, TLS and the local socket, all with the same requests behind them. */
import { chmodSync, existsSync, mkdirSync, unlinkSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import { type AddressInfo, connect, type Server as NetServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { callerOf, type Peer } from './caller.ts';
import type { Dispatcher } from './dispatch.ts';
import { cors, errorPage, sendError, titleOf, welcome } from './pages.ts';
import type { Codec } from './prebuilt.ts';
import { sniff } from './raw-head.ts';
import type { Router } from './router.ts';
import { serveRpc } from './rpc.ts';
import type { Certificate } from './tls.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}
export interface HttpParts {
  readonly dispatcher: Dispatcher;
  readonly router: Router;
  readonly version: string;
  readonly patience?: Patience;
  /** Connections at once on one listening socket, 4000 when absent; one address gets half of them. More are closed at once. */
  readonly connections?: number;
}
/** How long a client may take to send, in milliseconds: the head of a request, and the body of a call. */
export interface Patience {
  readonly headMs: number;
  readonly bodyMs: number;
}
const usual: Patience = { headMs: 20_000, bodyMs: 30_000 };
const rpcPaths: ReadonlyMap<string, Codec> = new Map([
  ['/', 'xml'],
  ['/RPC2', 'xml'],
  ['/xmlrpc', 'xml'],
  ['/json', 'xml'],
  ['/jsonrpc', 'json'],
]);
const options = ({ headMs }: Patience) => ({
  maxHeaderSize: 16 * 1024,
  headersTimeout: headMs,
  /** Uploads may take days; RPC bodies have a limit of their own. */
  requestTimeout: 0,
  connectionsCheckingInterval: Math.ceil(headMs / 4),
  keepAliveTimeout: 65_000,
  /** Other upgrades (h2c) are answered as if they had not been asked for. */
  shouldUpgradeCallback: (req: IncomingMessage) => req.headers.upgrade?.toLowerCase() === 'websocket',
});

export class HttpServer {
  readonly #parts: HttpParts;
  readonly #servers: (http.Server | https.Server)[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #patience: Patience;
  readonly #limit: number;

  constructor(parts: HttpParts) {
    this.#parts = parts;
    this.#patience = parts.patience ?? usual;
    this.#limit = parts.connections ?? 4000;
  }
  /** Answers the endpoint with the port that was chosen for port 0. Rejects with EADDRINUSE and the like. */
  async listenTcp({ host, port }: Endpoint): Promise<Endpoint> {
    const server = http.createServer(options(this.#patience));
    this.#serve(server, 'connection', false);
    await listening(server, () => server.listen(port, host));
    return { host, port: (server.address() as AddressInfo).port };
  }
  async listenTls({ host, port }: Endpoint, certificate: Certificate): Promise<Endpoint> {
    const server = https.createServer({
      ...options(this.#patience),
      cert: certificate.cert,
      key: certificate.key,
      minVersion: 'TLSv1.2',
      handshakeTimeout: this.#patience.headMs,
    });
    server.on('tlsClientError', (_, socket) => socket.destroy());
    this.#serve(server, 'secureConnection', false);
    await listening(server, () => server.listen(port, host));
    return { host, port: (server.address() as AddressInfo).port };
  }
  /** Its peers are root: mode 0600. A socket left over from a process that is gone is replaced. */
  async listenLocal(path: string): Promise<string> {
    mkdirSync(dirname(path), { recursive: true });
    if (existsSync(path) && !(await answers(path))) unlinkSync(path);
    const server = http.createServer(options(this.#patience));
    this.#serve(server, 'connection', true);
    await listening(server, () => server.listen(path));
    chmodSync(path, 0o600);
    return path;
  }
  /** Stops listening, lets answers that are being written finish for a second, then closes what is left. */
  async close(graceMs = 1000): Promise<void> {
    const closed = this.#servers.map((s) => new Promise<void>((resolve) => s.close(() => resolve())));
    // a connection whose last answer is being written becomes idle a moment later
    const idle = setInterval(() => {
      for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
      for (const s of this.#servers) s.closeIdleConnections();
    }, 10);
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await Promise.all(closed);
    clearInterval(idle);
    clearTimeout(timer);
  }

  #serve(server: http.Server | https.Server, event: 'connection' | 'secureConnection', local: boolean): void {
    this.#servers.push(server);
    server.maxConnections = this.#limit;
    const byAddress = new Map<string, number>();
    // a client that closed its sending side still gets its answer
    Object.assign(server, { httpAllowHalfOpen: true });
    const toHttp = server.listeners(event);
    server.removeAllListeners(event);
    server.on(event, (socket: Socket) => {
      const { address } = peerOf(socket, local);
      const count = (byAddress.get(address) ?? 0) + 1;
      if (!local && count > this.#limit / 2) {
        socket.destroy();
        return;
      }
      byAddress.set(address, count);
      this.#sockets.add(socket);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        const left = (byAddress.get(address) ?? 1) - 1;
        if (left > 0) byAddress.set(address, left);
        else byAddress.delete(address);
      });
      socket.setNoDelay(true);
      const hand = () => {
        for (const f of toHttp) f.call(server, socket);
      };
      sniff(socket, peerOf(socket, local), this.#parts.router.raw, hand);
    });
    server.on('request', (req: IncomingMessage, res: ServerResponse) => this.#request(req, res, local));
    const connection = (method: 'CONNECT' | 'UPGRADE') => (req: IncomingMessage, socket: Duplex, head: Buffer) =>
      void this.#parts.router.connect(method, peerOf(req.socket, local), req, socket, head);
    server.on('connect', connection('CONNECT'));
    server.on('upgrade', connection('UPGRADE'));
    server.on('clientError', clientError);
  }
  #request(req: IncomingMessage, res: ServerResponse, local: boolean): void {
    const path = (req.url ?? '/').split('?', 1)[0] as string;
    const codec = rpcPaths.get(path);
    // once the client has gone nobody needs to hear of it
    res.on('error', () => res.destroy());
    if (req.method === 'POST' && codec) {
      const caller = callerOf(peerOf(req.socket, local), req.headers['user-agent'], res, req.socket);
      void serveRpc(this.#parts.dispatcher, codec, caller, req, res, this.#patience.bodyMs);
    } else if (req.method === 'OPTIONS') {
      res.writeHead(200, { ...cors, 'access-control-allow-methods': 'GET, PUT, POST, OPTIONS', 'content-length': 0 });
      res.end();
    } else if ((req.method === 'GET' || req.method === 'HEAD') && path === '/') {
      const body = welcome(this.#parts.version, req.headers.host ?? 'localhost');
      res.writeHead(200, { ...cors, 'content-type': 'text/html', 'content-length': Buffer.byteLength(body) });
      res.end(req.method === 'HEAD' ? undefined : body);
    } else if (codec) sendError(res, 501, `calls are sent by POST to ${path}`);
    else void this.#parts.router.serve(peerOf(req.socket, local), req, res);
  }
}

const peerOf = (socket: Socket, local: boolean): Peer => ({
  local,
  address: local ? 'local' : (socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
});
function listening(server: NetServer, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    start();
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
/** Whether somebody listens on the socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
const statusOf: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };
/** What is not HTTP gets one page and the end. */
function clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = statusOf[error.code ?? ''] ?? 400;
  const body = errorPage(status, error.message);
  socket.end(
    `HTTP/1.1 ${status} ${titleOf(status)}\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
