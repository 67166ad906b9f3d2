/**
 * A session of the message switch on NATS JetStream: the same contract as the daemon's, for many hosts.
 *
 *     open ──(the connection is lost, or a call is not answered)──▶ lost ──▶ every call fails with Switch_gone; log in again
 *
 * How far a message that was answered is safe is the servers' matter: it survives the end of a server's process; that it
 * survives the loss of a host needs `replicas`.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  DiscardPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  StorageType,
  type StreamInfo,
} from '@nats-io/jetstream';
import { connect, errors, type NatsConnection } from '@nats-io/transport-node';
import { bestEffort } from '../../base/best-effort.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { ContractError } from '../../contracts/contract.ts';
import {
  type Delivered,
  type Durability,
  type Message,
  type MessageId,
  type SwitchSession,
  switchErrors,
  type Transfer,
  type TransferRequest,
} from '../../contracts/switch.ts';
import type { NatsAddress } from '../../wire/switch-address.ts';
import { limits } from '../core.ts';
import { checkName, queueLimits } from '../queue.ts';
import { Follower } from './follower.ts';
import { Lease, usualLeaseS } from './lease.ts';
import { formatMessage, formatPlace, hashOf, Names, type Position, parseNote, parsePlace } from './names.ts';
import { codes, isCode, isUnheard, streamInfo } from './streams.ts';

export interface NatsParts {
  readonly clock: Clock;
  readonly log: Log;
  /** A session that was not heard of for so long is over. */
  readonly leaseS?: number;
}
/** How long a call may take, milliseconds. */
const callMs = 10_000;
/** What the envelope of a message may add to its payload. */
const envelope = 4096;

/** Switch_gone: no server answers, or its JetStream is off. */
export async function loginToNats(address: NatsAddress, token: string, parts: NatsParts): Promise<SwitchSession> {
  const where = address.servers.join(',');
  let connection: NatsConnection | undefined;
  try {
    connection = await connect({
      servers: [...address.servers],
      ...(address.user === undefined ? {} : { user: address.user, pass: address.password ?? '' }),
      ...(address.tls ? { tls: address.ca === undefined ? {} : { ca: readFileSync(address.ca, 'utf8') } } : {}),
      name: token,
      reconnect: false,
      timeout: callMs,
      ignoreClusterUpdates: true,
    });
    const jsm = await jetstreamManager(connection, { timeout: callMs });
    const session = new NatsSession({
      ...parts,
      address,
      connection,
      jsm,
      js: jetstream(connection, { timeout: callMs }),
    });
    await session.open(token);
    return session;
  } catch (cause) {
    await connection?.close();
    throw switchErrors.make('Switch_gone', { address: where, reason: (cause as Error).message }, { cause });
  }
}

interface SessionParts extends NatsParts {
  readonly address: NatsAddress;
  readonly connection: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
}

class NatsSession implements SwitchSession {
  readonly #parts: SessionParts;
  readonly #names: Names;
  readonly #followers = new Map<string, Follower>();
  readonly #waiting = new Set<() => void>();
  #lost: string | undefined;
  #owner = '';
  #lease: Lease | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#names = new Names(parts.address.namespace);
    void parts.connection.closed().then((error) => this.#lose(error?.message ?? 'the connection was lost'));
  }
  async open(token: string): Promise<void> {
    const { js, jsm, clock, log, address, leaseS = usualLeaseS } = this.#parts;
    this.#owner = hashOf(token);
    const onLost = () => this.#lose('it was away for too long');
    const parts = { js, jsm, names: this.#names, replicas: address.replicas, leaseS, clock, log, onLost };
    this.#lease = new Lease(parts, this.#owner, randomBytes(9).toString('base64url'));
    await this.#lease.take();
  }

  create(queue: string, durability: Durability): Promise<void> {
    return this.#call(async () => {
      checkName(queue);
      const there = await streamInfo(this.#parts.jsm, this.#names.streamOf(queue));
      if (!there) return this.#make(queue, durability);
      if (durability === 'persistent' && parseNote(there.config.description)?.durability === 'transient') {
        const description = JSON.stringify({ queue, durability });
        await this.#parts.jsm.streams.update(there.config.name, { description });
      }
    });
  }
  async #make(queue: string, durability: Durability): Promise<void> {
    const { jsm, address } = this.#parts;
    const count = (await jsm.getAccountInfo()).streams;
    if (count >= limits.queues) throw switchErrors.make('Too_many', { count, what: 'queues' });
    const owner = durability === 'transient' ? { owner: this.#owner } : {};
    try {
      await jsm.streams.add({
        name: this.#names.streamOf(queue),
        subjects: [this.#names.subjectOf(queue)],
        description: JSON.stringify({ queue, durability, ...owner }),
        storage: StorageType.File,
        discard: DiscardPolicy.New,
        max_msgs: queueLimits.messages,
        max_bytes: queueLimits.bytes,
        num_replicas: address.replicas,
      });
    } catch (error) {
      // Somebody else has made it meanwhile.
      if (!isCode(error, codes.otherStream)) throw error;
    }
  }
  destroy(queue: string): Promise<void> {
    return this.#call(() => this.#deleted(this.#names.streamOf(queue)));
  }
  async #deleted(stream: string): Promise<void> {
    try {
      await this.#parts.jsm.streams.delete(stream);
    } catch (error) {
      if (!isCode(error, codes.noStream)) throw error;
    }
  }
  list(prefix: string, alive = false): Promise<string[]> {
    return this.#call(async () => {
      const found: string[] = [];
      for await (const { config, state } of this.#parts.jsm.streams.list(this.#names.everyQueue)) {
        const queue = parseNote(config.description)?.queue;
        if (queue?.startsWith(prefix) && (!alive || state.consumer_count > 0)) found.push(queue);
      }
      return found.sort();
    });
  }
  send(queue: string, message: Message): Promise<MessageId | null> {
    return this.#call(async () => {
      const text = formatMessage(message);
      const limit = this.#largest;
      // Escapes may make more of it; what the server takes is the limit of both.
      const [bytes, sent] = [Buffer.byteLength(message.payload), Buffer.byteLength(text) - envelope];
      if (bytes > limit || sent > limit)
        throw switchErrors.make('Bad_message', { bytes: Math.max(bytes, sent), limit });
      try {
        const { seq } = await this.#parts.js.publish(this.#names.subjectOf(queue), text);
        return [queue, seq - 1] as const;
      } catch (error) {
        if (isUnheard(error)) return null;
        throw isCode(error, codes.notStored) ? await this.#full(queue) : error;
      }
    });
  }
  /** What a message may have at most: the switch's limit, or what the server takes. */
  get #largest(): number {
    return Math.min(limits.bytes, (this.#parts.connection.info?.max_payload ?? 1024 * 1024) - envelope);
  }
  async #full(queue: string): Promise<Error> {
    const info: StreamInfo | undefined = await streamInfo(this.#parts.jsm, this.#names.streamOf(queue));
    return switchErrors.make('Queue_full', { queue, bytes: info?.state.bytes, messages: info?.state.messages });
  }
  ack([queue, n]: MessageId): Promise<void> {
    return this.#call(async () => {
      this.#followers.get(queue)?.forget(n);
      try {
        await this.#parts.jsm.streams.deleteMessage(this.#names.streamOf(queue), n + 1, false);
      } catch (error) {
        if (!isCode(error, codes.noMessage) && !isCode(error, codes.noStream)) throw error;
      }
    });
  }

  transfer({ queues, from, timeoutS, signal }: TransferRequest): Promise<Transfer> {
    return this.#call(async () => {
      const places = parsePlace(from);
      const followers = new Map([...new Set(queues)].map((q) => [q, this.#follower(q, places.get(q))]));
      const all = [...followers.values()];
      const ready = () => all.some((f) => f.ready);
      const wait = Number.isFinite(timeoutS) ? Math.min(Math.max(0, timeoutS), limits.transferS) : limits.transferS;
      if (!ready() && wait > 0) await this.#until(ready, wait * 1000, signal);
      // What is there already may still be on its way.
      if (!ready() && (await this.#behind(all))) await this.#until(ready, callMs, signal);
      const messages: Delivered[] = all.flatMap((f) => f.take());
      const next = new Map<string, Position>();
      for (const [queue, { position }] of followers) if (position) next.set(queue, position);
      return { messages, next: formatPlace(next) };
    });
  }
  /** The one that has read just so far, or a new one from there. */
  #follower(queue: string, from: Position | undefined): Follower {
    const known = this.#followers.get(queue);
    const at = known?.position;
    if (known && from && at?.created === from.created && at.seq === from.seq) return known;
    void known?.stop();
    const { js, jsm, clock, log } = this.#parts;
    const wake = () => {
      for (const look of this.#waiting) look();
    };
    const made = new Follower({ js, jsm, names: this.#names, clock, log, wake }, queue, from);
    this.#followers.set(queue, made);
    return made;
  }
  async #behind(followers: readonly Follower[]): Promise<boolean> {
    await Promise.all(followers.map((f) => f.known));
    return (await Promise.all(followers.map((f) => f.behind()))).includes(true);
  }
  #until(ready: () => boolean, ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        signal?.removeEventListener('abort', done);
        this.#waiting.delete(look);
        resolve();
      };
      const look = () => {
        if (ready() || this.#lost !== undefined) done();
      };
      const cancel = this.#parts.clock.after(ms, done);
      this.#waiting.add(look);
      if (signal?.aborted) done();
      else signal?.addEventListener('abort', done, { once: true });
      look();
    });
  }

  async close(): Promise<void> {
    if (this.#lost !== undefined) return;
    this.#lost = 'it was closed';
    const { connection, log } = this.#parts;
    const why = 'the server forgets it by itself';
    await Promise.all([...this.#followers.values()].map((f) => bestEffort(why, log, () => f.stop())));
    await bestEffort(why, log, () => this.#lease?.release());
    await connection.close();
    this.#wakeAll();
  }
  #lose(why: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = why;
    this.#lease?.stop();
    for (const follower of this.#followers.values()) void follower.stop();
    void this.#parts.connection.close();
    this.#wakeAll();
  }
  #wakeAll(): void {
    for (const look of this.#waiting) look();
  }
  async #call<T>(f: () => Promise<T>): Promise<T> {
    if (this.#lost !== undefined) throw this.#gone();
    try {
      const result = await f();
      if (this.#lost !== undefined) throw this.#gone();
      return result;
    } catch (error) {
      if (error instanceof ContractError) throw error;
      if (error instanceof errors.TimeoutError) this.#lose('a call was not answered');
      if (this.#lost !== undefined || this.#parts.connection.isClosed()) throw this.#gone(error);
      const { code, message } = error as Error & { code?: number };
      throw switchErrors.make('Switch_refused', { status: code ?? 'NATS', answer: message }, { cause: error });
    }
  }
  #gone(cause?: unknown): ContractError {
    const reason = this.#lost ?? 'the connection was lost';
    return switchErrors.make('Switch_gone', { address: this.#parts.address.servers.join(','), reason }, { cause });
  }
}
