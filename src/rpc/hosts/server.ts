/** Where guests of other hosts arrive: each connection is one conversation about a guest, or its state. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { PipelineSource, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createServer as createTlsServer } from 'node:tls';
import { createZstdDecompress } from 'node:zlib';
import type { Log } from '../../base/log.ts';
import { type IncomingApi, incomingContract, xenopsErrors } from '../../contracts/xenops.ts';
import { serveConnection } from '../server.ts';
import { distrust, type Head, type Identity, readHead, usualSilenceMs, writeFrame } from './link.ts';

type Incoming = IncomingApi['incoming'];
export interface Conversation {
  readonly incoming: Incoming;
  /** Connections over which nothing comes for so long are given up; 30 s. */
  readonly silenceMs?: number | undefined;
  readonly log: Log;
}
export interface HostServerOptions extends Conversation {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Absent: plain, and whoever reaches the port is believed. */
  readonly identity?: Identity | undefined;
}
export interface HostServer {
  /** `https://HOST:PORT`. */
  readonly url: string;
  close(): Promise<void>;
}

/** Listens; rejects when the address cannot be had. */
export async function serveHosts(o: HostServerOptions): Promise<HostServer> {
  const sockets = new Set<Socket>();
  const accept = (socket: Socket) => {
    sockets.add(socket);
    socket.setKeepAlive(true, 10_000);
    socket.setNoDelay(true);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', (error) => o.log.info('a connection of another host failed', { error: error.message }));
    serve(o, socket).catch((error: unknown) => {
      o.log.info('a connection of another host was refused', { error: String(error) });
      socket.destroy();
    });
  };
  const { identity } = o;
  const server = identity
    ? createTlsServer({ cert: identity.cert, key: identity.key, requestCert: true, rejectUnauthorized: false }, accept)
    : createServer(accept);
  server.on('tlsClientError', (error: Error) => o.log.info('no TLS with another host', { error: error.message }));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(o.port, o.host, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${identity ? 'https' : 'http'}://${o.host.includes(':') ? `[${o.host}]` : o.host}:${port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
async function serve(o: HostServerOptions, socket: Socket): Promise<void> {
  const head = await readHead(socket, o.silenceMs ?? usualSilenceMs);
  if (!head) {
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    return;
  }
  const why = distrust(socket, o.identity?.trusted);
  if (why !== undefined) {
    o.log.warn('another host is not believed', { why, from: socket.remoteAddress ?? '' });
    writeFrame(socket, why);
    socket.end();
  } else await converse(o, socket, head, true);
}
/**
 * One conversation, over a connection that another server has accepted. A host that is not `believed` may not bring a guest;
 * whoever knows the name of an attempt, which is nobody but its two hosts, may ask after it and end it.
 */
export async function converse(o: Conversation, socket: Socket, head: Head, believed: boolean): Promise<void> {
  if (head.kind === 'mem') return takeState(o, socket, head);
  writeFrame(socket, '');
  const watch = () => () => undefined;
  if (believed) return serveConnection(incomingContract, { incoming: o.incoming, watch }, socket, { log: o.log });
  // It may be anybody, who is given little.
  socket.setTimeout(strangersMs, () => socket.destroy());
  const incoming: Incoming = { ...o.incoming, prepare: uninvited };
  serveConnection(incomingContract, { incoming, watch }, socket, { log: o.log, maxBytes: 64 * 1024, maxCalls: 64 });
}
/** How long the connection of one who is not believed may be silent. */
const strangersMs = 600_000;
const uninvited: Incoming['prepare'] = async ({ spec }) => {
  const reason = 'this host has not been asked to receive it, or too long ago: call host.migrate_receive again';
  throw xenopsErrors.make('Failed_to_migrate', { vm: spec.id, reason });
};
/** The guest's state, to where its new domain reads it. */
async function takeState(o: Conversation, socket: Socket, { cookies }: Head): Promise<void> {
  const { incoming, log, silenceMs = usualSilenceMs } = o;
  const token = cookies.get('instance_id') ?? '';
  const { phase, address } = await incoming.stat({ token });
  if (phase !== 'receiving' || address === '') {
    writeFrame(socket, `no guest is waited for under ${token}: ${phase}`);
    socket.end();
    return;
  }
  const domain = connect(address);
  await new Promise<void>((resolve, reject) => domain.once('connect', resolve).once('error', reject));
  socket.setTimeout(silenceMs, () => socket.destroy(new Error(`silent for ${silenceMs / 1000} s`)));
  writeFrame(socket, '');
  // Its end is its own word: the new domain's, and that of `receive`.
  domain.once('close', () => socket.destroy());
  const through: Transform[] = cookies.get('compress') === 'zstd' ? [createZstdDecompress()] : [];
  await pipeline([socket as PipelineSource<Buffer>, ...through, domain] as never).catch((error: unknown) => {
    log.info('the state of a guest was cut off', { token, error: String(error) });
    domain.destroy();
  });
}
