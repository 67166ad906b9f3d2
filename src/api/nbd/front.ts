/**
 * Disks by NBD over TLS. A client names `/UUID?session_id=REF`; whoever has the session may read the disk, for as long as the session
 * lives. What is asked of the disk is answered by QEMU's own server; here are the door and the key.
 *
 *     greeting ──STARTTLS──▶ encrypted ──a name: export, session, role──▶ joined with QEMU ──either side, session ends──▶ closed
 *        └──any other option: refused──┘      └──unknown name: refused
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, TLSSocket } from 'node:tls';
import { bestEffort } from '../../base/best-effort.ts';
import { handshakeFlags, optionRequest } from '../../wire/nbd.ts';
import type { House } from '../context.ts';
import { assertRole } from '../rbac.ts';
import { targetOf } from '../routes/disk-target.ts';
import type { LiveSession, Sessions } from '../sessions.ts';
import type { Certificate } from '../tls.ts';
import { firstError, greeting, option, readOption, readReply, renamed, reply, replyTo, Taker } from './protocol.ts';

/** The port that IANA has given to NBD; another is taken when it is not free. */
const usualPort = 10809;
/** Milliseconds that a client may take to name a disk. */
const patienceMs = 20_000;
/** Connections at once. */
const most = 256;

interface Backend {
  readonly taker: Taker;
  readonly session: LiveSession;
  close(): Promise<void>;
}
export class NbdFront {
  readonly #house: House;
  readonly #sessions: Sessions;
  readonly #open = new Set<Socket>();
  #certificate: { readonly certificate: Certificate; readonly host: string } | undefined;
  #server: Promise<Server> | undefined;

  constructor(house: House, sessions: Sessions) {
    this.#house = house;
    this.#sessions = sessions;
  }
  /** From now on it may listen at `host`, when somebody asks for it. */
  allow(certificate: Certificate, host: string): void {
    this.#certificate = { certificate, host };
  }
  /** Listens, if TLS is on; where, and with which certificate. */
  async listening(): Promise<{ readonly port: number; readonly cert: string } | undefined> {
    if (!this.#certificate) return undefined;
    const { certificate, host } = this.#certificate;
    this.#server ??= this.#listen(host);
    const address = (await this.#server).address();
    return typeof address === 'object' && address ? { port: address.port, cert: certificate.cert } : undefined;
  }
  async close(): Promise<void> {
    const server = await this.#server;
    for (const socket of this.#open) socket.destroy();
    if (server) await new Promise((resolve) => server.close(resolve));
  }
  async #listen(host: string): Promise<Server> {
    const server = createServer({ pauseOnConnect: true }, (socket) => this.#take(socket));
    server.maxConnections = most;
    for (const port of [usualPort, 0]) {
      const failed = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
        server.once('error', resolve);
        server.listen(port, host, () => {
          server.off('error', resolve);
          resolve(undefined);
        });
      });
      if (!failed) return server;
      if (failed.code !== 'EADDRINUSE') throw failed;
    }
    throw new Error('there is no free port');
  }
  #take(socket: Socket): void {
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    socket.on('error', () => socket.destroy());
    const forget = this.#house.clock.after(patienceMs, () => socket.destroy());
    this.#talk(socket, forget)
      .catch((error: unknown) => this.#house.log.info('an NBD client was let go', { error: String(error) }))
      .finally(() => {
        forget();
        socket.destroy();
      });
  }
  async #talk(socket: Socket, known: () => void): Promise<void> {
    socket.write(greeting());
    const plain = new Taker(socket);
    await plain.take(4);
    if (!(await plainOptions(plain))) return;
    plain.letGo();
    const { certificate } = this.#certificate ?? {};
    if (!certificate) return;
    const { cert, key } = certificate;
    const client = new TLSSocket(socket, {
      isServer: true,
      secureContext: createSecureContext({ cert, key, minVersion: 'TLSv1.2' }),
    });
    client.on('error', () => socket.destroy());
    const held: { backend?: Backend } = {};
    try {
      if (!(await this.#options(client, held)) || !held.backend) return;
      known();
      await joined(client, held.backend);
    } finally {
      await held.backend?.close();
    }
  }
  /** Until a disk was chosen: true. */
  async #options(client: Duplex, held: { backend?: Backend }): Promise<boolean> {
    let structured = false;
    const from = new Taker(client);
    for (;;) {
      const { id, data } = await readOption(from);
      if (id === option.structuredReply && !held.backend) {
        structured = true;
        client.write(replyTo(id, reply.ack));
        continue;
      }
      if (id === option.abort || id === option.list) {
        client.write(replyTo(id, reply.ack));
        if (id === option.abort) return false;
        continue;
      }
      const whole = id === option.exportName;
      const named = whole ? { name: data.toString('utf8'), data: Buffer.alloc(0) } : namedIn(id, data);
      if (!named) {
        client.write(replyTo(id, id === option.structuredReply ? reply.invalid : reply.unsupported));
        continue;
      }
      const backend = held.backend ?? (await this.#backend(named.name, structured));
      if (!backend) {
        if (whole) return false;
        client.write(replyTo(id, reply.unknown));
        continue;
      }
      held.backend = backend;
      backend.taker.stream.write(optionRequest(id, named.data));
      const last = whole ? reply.ack : await passedOn(backend.taker, client);
      if (!whole && (id !== option.go || last !== reply.ack)) continue;
      for (const taker of [from, backend.taker]) taker.letGo();
      return true;
    }
  }
  /** Opens the disk that the name means; undefined for a name that means nothing to this client. */
  async #backend(name: string, structured: boolean): Promise<Backend | undefined> {
    const { storage, log } = this.#house;
    try {
      const [, uuid = '', query = ''] = /^\/?([0-9a-f-]{36})\?(.*)$/.exec(name) ?? [];
      const session = this.#sessions.get(new URLSearchParams(query).get('session_id') ?? '');
      assertRole(session, 'http/nbd', 'vm-admin');
      const { sr, vdi } = targetOf(this.#house, uuid);
      const { transfer, socket } = await storage.transfer.serve({ sr: sr.uuid, vdi: vdi.uuid });
      const close = async () => {
        await bestEffort('the server ends with its client', log, () => storage.transfer.cancel({ transfer }));
      };
      try {
        return { taker: await greeted(socket, structured), session, close };
      } catch (error) {
        await close();
        throw error;
      }
    } catch (error) {
      log.info('an NBD export was refused', { error: String(error) });
      return undefined;
    }
  }
}
const named: ReadonlySet<number> = new Set([option.info, option.go, option.listMeta, option.setMeta]);
const namedIn = (id: number, data: Buffer) => (named.has(id) ? renamed(data) : undefined);

/** Before encryption: true when the client has asked for it. */
async function plainOptions(from: Taker): Promise<boolean> {
  const { stream: socket } = from;
  for (;;) {
    const { id, data } = await readOption(from);
    if (id === option.startTls && data.length === 0) {
      socket.write(replyTo(id, reply.ack));
      return true;
    }
    if (id === option.exportName) return false;
    socket.write(replyTo(id, id === option.abort ? reply.ack : reply.tlsRequired));
    if (id === option.abort) return false;
  }
}
/** A connection to QEMU's server at which the same was agreed as with the client. */
async function greeted(path: string, structured: boolean): Promise<Taker> {
  const stream = connect(path);
  stream.on('error', () => stream.destroy());
  const taker = new Taker(stream);
  await taker.take(18);
  const own = Buffer.alloc(4);
  own.writeUInt32BE(handshakeFlags);
  stream.write(own);
  if (structured) {
    stream.write(optionRequest(option.structuredReply, Buffer.alloc(0)));
    await readReply(taker);
  }
  return taker;
}
/** Gives a server's replies to one option to the client; answers the type of the last. */
async function passedOn(server: Taker, client: Duplex): Promise<number> {
  for (;;) {
    const { type, whole } = await readReply(server);
    client.write(whole);
    if (type === reply.ack || type >= firstError) return type;
  }
}
/** Passes bytes both ways until one side or the session ends. */
async function joined(client: Duplex, { taker: { stream }, session }: Backend): Promise<void> {
  await new Promise<void>((resolve) => {
    const stop = () => {
      session.ended.removeEventListener('abort', stop);
      client.destroy();
      stream.destroy();
      resolve();
    };
    for (const side of [client, stream]) side.once('close', stop).on('error', stop);
    session.ended.addEventListener('abort', stop, { once: true });
    if (session.ended.aborted) return stop();
    client.pipe(stream);
    stream.pipe(client);
  });
}
