/**
 * The switch over HTTP: a connection logs in once and belongs to that session until it closes. Several connections may share
 * a token; the session's transient queues go with the last of them.
 *
 * Requests may be sent ahead of the answers to those before (pipelining). They are begun in their order; only messages that are
 * sent do not wait for the end of what they follow, so that many of them are made durable at once.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { ContractError } from '../contracts/contract.ts';
import { type MessageKind, type SwitchSession, switchErrors } from '../contracts/switch.ts';
import { parseRequest, parseTransferRequest, type SwitchRequest, type WireKind } from '../wire/switch.ts';
import { limits, type SwitchCore } from './core.ts';
import type { TraceEvent } from './trace.ts';

export interface HttpParts {
  readonly core: SwitchCore;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when a client asks the daemon to end. */
  readonly onShutdown: () => void;
}
/** JSON of what a payload may be at most, and a little more. */
const bodyLimit = limits.bytes + 64 * 1024;

/** What is known of a connection. */
interface Connection {
  session?: SwitchSession;
  /** Settled when the next request may begin. */
  turn: Promise<void>;
}

/** A server that is not listening yet. */
export function switchServer(parts: HttpParts): Server {
  const connections = new WeakMap<Socket, Connection>();
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 60_000 }, (req, res) => {
    const connection = connections.get(req.socket);
    if (connection) void new Exchange(parts, connection, req, res).run();
  });
  server.on('connection', (socket) => {
    const connection: Connection = { turn: Promise.resolve() };
    connections.set(socket, connection);
    socket.setNoDelay(true);
    socket.once('close', () => void connection.session?.close());
  });
  return server;
}

class Exchange {
  readonly #parts: HttpParts;
  readonly #connection: Connection;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;

  constructor(parts: HttpParts, connection: Connection, req: IncomingMessage, res: ServerResponse) {
    this.#parts = parts;
    this.#connection = connection;
    this.#req = req;
    this.#res = res;
  }
  async run(): Promise<void> {
    const before = this.#connection.turn;
    const over = Promise.withResolvers<void>();
    this.#connection.turn = over.promise;
    try {
      const body = await this.#body();
      const asked = parseRequest(this.#req.method ?? '', this.#req.url ?? '');
      await before;
      if (!asked || (this.#req.method === 'GET' && body !== '')) {
        this.#answer(404, 'There is no such operation.');
        return;
      }
      const done = this.#do(asked, body);
      if (asked.op === 'request' || asked.op === 'response') over.resolve();
      this.#answer(200, await done);
    } catch (error) {
      this.#refuse(error);
    } finally {
      over.resolve();
    }
  }
  async #do(asked: SwitchRequest, body: string): Promise<string> {
    const { core, onShutdown } = this.#parts;
    if (asked.op === 'login') return this.#login(asked.token);
    if (asked.op === 'diagnostics') return JSON.stringify(this.#diagnostics());
    if (asked.op === 'trace') return JSON.stringify(await this.#trace(asked.from, asked.timeoutS));
    if (asked.op === 'shutdown') {
      this.#res.once('finish', onShutdown);
      return '';
    }
    if (asked.op === 'list' && !this.#session) return JSON.stringify(await listOf(core, asked.prefix, asked.alive));
    const session = this.#session;
    if (!session) throw switchErrors.make('Not_logged_in');
    if (asked.op === 'create') {
      await session.create(asked.queue, asked.durability);
      return asked.queue;
    }
    if (asked.op === 'destroy') return session.destroy(asked.queue).then(() => '');
    if (asked.op === 'ack') return session.ack(asked.id).then(() => '');
    if (asked.op === 'list') return JSON.stringify(await session.list(asked.prefix, asked.alive));
    if (asked.op === 'transfer') return this.#transfer(session, body);
    const kind: MessageKind = asked.op === 'request' ? { request: asked.reply } : { response: asked.id };
    return JSON.stringify(await session.send(asked.queue, { payload: body, kind }));
  }
  get #session(): SwitchSession | undefined {
    return this.#connection.session;
  }
  async #login(token: string): Promise<string> {
    const before = this.#connection.session;
    const session = await this.#parts.core.login(token);
    this.#connection.session = session;
    await before?.close();
    if (this.#req.socket.destroyed) await session.close();
    return '';
  }
  async #transfer(session: SwitchSession, body: string): Promise<string> {
    const { from, timeout, queues } = parseTransferRequest(body);
    const gone = new AbortController();
    const left = () => gone.abort();
    this.#res.once('close', left);
    const { messages, next } = await session.transfer({ from, timeoutS: timeout, queues, signal: gone.signal });
    this.#res.off('close', left);
    const shown = messages.map(({ id, message }) => [id, { payload: message.payload, kind: wireKind(message.kind) }]);
    return JSON.stringify({ messages: shown, next });
  }
  async #trace(from: number, timeoutS: number): Promise<unknown> {
    const { core, clock } = this.#parts;
    if (core.trace.since(from).length === 0 && timeoutS > 0) {
      await new Promise<void>((resolve) => {
        const cancel = clock.after(Math.min(timeoutS, limits.transferS) * 1000, () => done());
        const forget = core.trace.onNext(() => done());
        const done = () => {
          cancel();
          forget();
          this.#res.off('close', done);
          resolve();
        };
        this.#res.once('close', done);
      });
    }
    return { events: core.trace.since(from).map(([n, event]) => [n, wireEvent(event)]) };
  }
  #diagnostics(): unknown {
    const { core, clock } = this.#parts;
    const shown: Record<'persistent' | 'transient', Record<string, unknown>> = { persistent: {}, transient: {} };
    for (const queue of core.queues()) {
      const expected = core.expected(queue.name);
      const contents = [...queue.entries()].map(({ id, origin, time, message }) => [
        id,
        {
          origin: ['Name', origin],
          time: ns(time),
          message: { payload: message.payload, kind: wireKind(message.kind) },
        },
      ]);
      shown[queue.durability][queue.name] = {
        ...(expected === undefined ? {} : { next_transfer_expected: ns(Math.min(expected, clock.now() + 30_000)) }),
        queue_contents: contents,
      };
    }
    return {
      start_time: ns(core.startedAt),
      current_time: ns(clock.now()),
      permanent_queues: shown.persistent,
      transient_queues: shown.transient,
    };
  }

  #body(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const pieces: Buffer[] = [];
    let bytes = 0;
    this.#req.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (bytes <= bodyLimit) pieces.push(piece);
      else reject(switchErrors.make('Bad_message', { bytes, limit: limits.bytes }));
    });
    this.#req.once('end', () => resolve(Buffer.concat(pieces).toString('utf8')));
    this.#req.once('error', reject);
    return promise;
  }
  #refuse(error: unknown): void {
    if (error instanceof ContractError) {
      const status = { Not_logged_in: 404, Queue_full: 503, Too_many: 503, Bad_message: 413 }[error.kind] ?? 400;
      this.#answer(status, error.kind === 'Not_logged_in' ? 'Please log in.' : error.message);
    } else if (error instanceof TypeError) {
      this.#answer(400, error.message);
    } else if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') {
      this.#parts.log.error('a request failed', { target: this.#req.url, error: String(error) });
      this.#answer(500, 'The switch failed to do this; its log says why.');
    }
  }
  #answer(status: number, body: string): void {
    const type = body.startsWith('{') || body.startsWith('[') ? 'application/json' : 'text/plain; charset=utf-8';
    // What is refused for its size is not read to its end.
    const end = status === 413 ? { connection: 'close' } : {};
    this.#res.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...end }).end(body);
  }
}
/** Everybody may see which queues there are. */
async function listOf(core: SwitchCore, prefix: string, alive: boolean): Promise<string[]> {
  const session = await core.login('');
  return session.list(prefix, alive).finally(() => session.close());
}
const ns = (ms: number): number => Math.round(ms) * 1_000_000;
const wireKind = (kind: MessageKind): WireKind =>
  'request' in kind ? ['Request', kind.request] : ['Response', kind.response];
function wireEvent({ time, input, queue, output, what, tookMs }: TraceEvent): unknown {
  const { id, shown } =
    'sent' in what
      ? { id: what.sent, shown: { payload: what.message.payload, kind: wireKind(what.message.kind) } }
      : { id: what.acknowledged, shown: undefined };
  return {
    time: ns(time),
    ...(input === undefined ? {} : { input }),
    queue,
    ...(output === undefined ? {} : { output }),
    message: shown ? ['Message', id, shown] : ['Ack', id],
    ...(tookMs === undefined ? {} : { processing_time: ns(tookMs) }),
  };
}
