/**
 * Other hosts' domain managers, by URL. A guest's state leaves through a unix socket of ours, so that whoever sends it knows
 * nothing of the network.
 */
import { rm } from 'node:fs/promises';
import { connect, createServer, isIP, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { connect as connectTls } from 'node:tls';
import { constants, createZstdCompress } from 'node:zlib';
import { bestEffort } from '../../base/best-effort.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Call } from '../../contracts/contract.ts';
import { type IncomingApi, incomingContract, xenopsErrors } from '../../contracts/xenops.ts';
import { connectOver } from '../client.ts';
import { checkSocketPath } from '../socket-path.ts';
import { distrust, type Head, headText, type Identity, type Kind, readFrame, usualSilenceMs } from './link.ts';

export interface HostsOptions {
  /** Needed for `https`. */
  readonly identity?: Identity | undefined;
  /** Plain HTTP to hosts other than this machine. */
  readonly plain: boolean;
  /** Folder of the sockets; guests' users must be able to enter it. */
  readonly dir: string;
  /** Another host that says nothing for so long, while it is asked, is out of reach; 30 s. */
  readonly silenceMs?: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
}
export interface Hosts {
  /**
   * `https://HOST:PORT[/services/xenops]` with, in the query, `compress=zstd`, `ticket` (what the host gave whoever asked it to
   * receive a guest) and `fingerprint` (SHA-256, of its certificate). Throws Failed_to_migrate on what is no such URL, or not allowed.
   */
  connect(url: string): Promise<{ readonly incoming: IncomingApi['incoming'] }>;
  close(): Promise<void>;
}
const connectMs = 10_000;
const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/;

export function reachHosts(o: HostsOptions): Hosts {
  const peers = new Map<string, Peer>();
  return {
    async connect(url) {
      const known = peers.get(url);
      if (known) return known;
      const peer: Peer = new Peer(o, checkUrl(o, url), () => {
        // Nobody comes again with the same ticket.
        if (peers.get(url) === peer) peers.delete(url);
        void peer.close();
      });
      peers.set(url, peer);
      return peer;
    },
    async close() {
      await Promise.all([...peers.values()].map((peer) => peer.close()));
    },
  };
}
function checkUrl(o: HostsOptions, text: string): URL {
  const refuse = (reason: string) => xenopsErrors.make('Failed_to_migrate', { vm: 'a guest', reason });
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.hostname === '')
    throw refuse(`"${text}" names no xenopsd; write https://HOST:PORT`);
  if (url.protocol === 'https:' && !o.identity && !url.searchParams.has('fingerprint'))
    throw refuse(`${text} needs the certificates of hosts that are trusted: set migration-trust`);
  if (url.protocol === 'http:' && !o.plain && !loopback.test(url.hostname))
    throw refuse(`${text} would send the guest's memory in the clear; use https, or set migration-plain = true`);
  const compress = url.searchParams.get('compress');
  if (compress !== null && compress !== 'zstd') throw refuse(`compress=${compress} is not known; it may be zstd`);
  return url;
}

class Peer {
  readonly #o: HostsOptions;
  readonly #silenceMs: number;
  readonly #url: URL;
  readonly #ticket: string;
  /** Whose certificate is believed. */
  readonly #trusted: ReadonlySet<string> | undefined;
  readonly #calls: IncomingApi & { close(): void };
  readonly #relays = new Map<string, { readonly path: string; readonly server: Server }>();
  readonly #vms = new Map<string, string>();
  /** The connection that carries the calls. */
  #line: Socket | undefined;
  readonly incoming: IncomingApi['incoming'];

  /** `done`: all that was begun with its ticket has ended. */
  constructor(o: HostsOptions, url: URL, done: () => void) {
    this.#o = o;
    this.#silenceMs = o.silenceMs ?? usualSilenceMs;
    this.#url = url;
    this.#ticket = url.searchParams.get('ticket') ?? '';
    const fingerprint = url.searchParams.get('fingerprint');
    this.#trusted = fingerprint === null ? o.identity?.trusted : new Set([fingerprint]);
    const dial = async () => {
      this.#line = await this.#dial('vm', '00000000-0000-0000-0000-000000000000', new Map([['dbg', 'migration']]));
      return this.#line;
    };
    this.#calls = connectOver(incomingContract, url.host, dial, { log: o.log, clock: o.clock, connectTimeoutMs: 0 });
    const { incoming } = this.#calls;
    const ended = (token: string) => {
      this.#vms.delete(token);
      if (this.#ticket !== '' && this.#vms.size === 0) done();
    };
    const soon = <T>(step: string, answer: Promise<T>) => this.#soon(step, answer);
    this.incoming = {
      prepare: (a, call) => {
        this.#vms.set(a.token, a.spec.id);
        return this.#attended(a.token, incoming.prepare(a, call), call);
      },
      receive: (a, call) => this.#attended(a.token, incoming.receive(a, call), call),
      stat: async (a) => {
        const seen = await soon('stat', incoming.stat(a));
        return seen.phase === 'receiving' ? { ...seen, address: await this.#relay(a.token) } : seen;
      },
      commit: (a) => soon('commit', incoming.commit(a)),
      abort: async (a) => {
        await this.#endRelay(a.token);
        await soon('abort', incoming.abort(a));
        ended(a.token);
      },
      forget: async (a) => {
        await this.#endRelay(a.token);
        await soon('forget', incoming.forget(a));
        ended(a.token);
      },
    };
  }
  async close(): Promise<void> {
    this.#calls.close();
    await Promise.all([...this.#relays.keys()].map((token) => this.#endRelay(token)));
  }
  /** A host that does not answer is none, for now: the next call finds out over a connection of its own. */
  #soon<T>(step: string, answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#o.clock.after(this.#silenceMs, () => {
        reject(this.#failed(`${step}: no answer within ${this.#silenceMs / 1000} s`));
        this.#line?.destroy();
      });
      answer.then(resolve, reject).finally(cancel);
    });
  }
  /**
   * As long as it takes, and as the other host answers when it is asked meanwhile; once it is to stop, no longer than any other
   * answer.
   */
  #attended<T>(token: string, answer: Promise<T>, call: Call | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const stop = () => void this.#soon('stopping', answer).then(resolve, reject);
    if (call?.signal?.aborted) stop();
    call?.signal?.addEventListener('abort', stop, { once: true });
    let over = false;
    let cancel: () => void = () => undefined;
    const later = () => {
      if (!over) cancel = this.#o.clock.after(this.#silenceMs / 3, ask);
    };
    const ask = () => void this.#soon('stat', this.#calls.incoming.stat({ token })).then(later, reject);
    later();
    answer.then(resolve, reject);
    return promise.finally(() => {
      over = true;
      cancel();
      call?.signal?.removeEventListener('abort', stop);
    });
  }
  #failed(reason: string, cause?: unknown) {
    return xenopsErrors.make('Failed_to_migrate', { vm: 'a guest', reason: `${this.#url.host}: ${reason}` }, { cause });
  }

  /** A socket whose first connection is the guest's state on its way. */
  async #relay(token: string): Promise<string> {
    const known = this.#relays.get(token);
    if (known) return known.path;
    const path = join(this.#o.dir, `to-${token.slice(0, 13)}`);
    checkSocketPath(path);
    await rm(path, { force: true });
    const server = createServer((local) => {
      server.close();
      this.#carry(local, token).catch((error: unknown) => {
        this.#o.log.info('the state of a guest did not get through', { token, error: String(error) });
        local.destroy();
      });
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
    this.#relays.set(token, { path, server });
    return path;
  }
  async #endRelay(token: string): Promise<void> {
    const relay = this.#relays.get(token);
    if (!relay) return;
    this.#relays.delete(token);
    relay.server.close();
    await bestEffort('the socket of a relay', this.#o.log, () => rm(relay.path, { force: true }));
  }
  async #carry(local: Socket, token: string): Promise<void> {
    const zstd = this.#url.searchParams.get('compress') === 'zstd';
    const vm = this.#vms.get(token) ?? token;
    const cookies = new Map([
      ...[['instance_id', token] as const, ['final_id', vm] as const, ['dbg', 'migration'] as const],
      ...[['mem_migration', '0'] as const, ['compress', zstd ? 'zstd' : ''] as const],
    ]);
    local.on('error', () => local.destroy());
    const remote = await this.#dial('mem', vm, cookies);
    remote.setTimeout(this.#silenceMs, () => remote.destroy(this.#failed('the network is silent')));
    remote.once('close', () => local.destroy());
    remote.resume();
    const level = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
    await (zstd ? pipeline(local, createZstdCompress(level), remote) : pipeline(local, remote));
  }
  /** A connection on which the other side has said that it listens. */
  async #dial(kind: Kind, vm: string, cookies: Head['cookies']): Promise<Socket> {
    const { identity } = this.#o;
    const host = this.#url.hostname.replace(/^\[(.*)\]$/, '$1');
    const secure = this.#url.protocol === 'https:';
    const port = Number(this.#url.port || (secure ? 443 : 80));
    const servername = isIP(host) ? {} : { servername: host };
    const own = identity ? { cert: identity.cert, key: identity.key } : {};
    const socket = secure
      ? connectTls({ host, port, ...own, rejectUnauthorized: false, ...servername })
      : connect({ host, port });
    try {
      await this.#connected(socket, secure ? 'secureConnect' : 'connect');
      const why = distrust(socket, this.#trusted);
      if (why !== undefined) throw new Error(why);
      socket.setKeepAlive(true, connectMs);
      socket.setNoDelay(true);
      const all = this.#ticket === '' ? cookies : new Map([...cookies, ['ticket', this.#ticket]]);
      socket.write(headText(this.#url.host, { kind, vm, cookies: all }));
      const words = await readFrame(socket, this.#silenceMs);
      if (words !== '') throw new Error(`it refuses: ${words}`);
      return socket;
    } catch (error) {
      socket.destroy();
      throw this.#failed(error instanceof Error ? error.message : String(error), error);
    }
  }
  #connected(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
    const ms = Math.min(connectMs, this.#silenceMs);
    return new Promise((resolve, reject) => {
      const cancel = this.#o.clock.after(ms, () => reject(new Error(`no answer within ${ms / 1000} s`)));
      socket.once(event, () => {
        cancel();
        resolve();
      });
      socket.on('error', (error) => {
        cancel();
        reject(error);
      });
    });
  }
}
