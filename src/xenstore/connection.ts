/**
 * One peer of the store: bytes in, bytes out, and the watches and transactions that end with it. It knows nothing of sockets and rings: a
 * transport pushes bytes in with `receive` and takes them from `output`; the `Line` is how the store calls the transport.
 *
 *                    receive(bytes)                     a turn is over, output waits
 *     transport ───────────────────────▶ Connection ───────────────────────────────▶ line.flush(connection)
 *         ▲                                   │                                         peek() what fits, consume(n)
 *         │  line.resume(): wanted again      │  frame with a length over 4096
 *         └───────────────────────────────────┴──────────────────────────────────────▶ line.broken('protocol')
 *
 *     open ──broken──▶ ignored (until reset, or the end)        open, ignored ──close──▶ closed
 *
 * Rules for a transport
 * - Bytes given to `receive` must not be shared with the peer (copy them out of a ring first); they may be reused afterwards.
 * - Requests are answered in turns: `receive` may answer some at once and leave the rest for later turns. While `wantsInput` is false nothing
 *   more should be read from the peer; `line.resume` is called when it is true again. What is pushed regardless is kept.
 * - `line.flush` is called after a turn in which output was added to an empty or waiting queue. A transport without room keeps quiet and
 *   consumes later; then it calls `drained()`, so that a peer that was held back for not reading its answers goes on.
 * - `reset()` forgets watches, transactions, partial input and unsent output: a ring that (re)connects starts clean.
 */

import { headerSize, payloadMax, u32 } from '../wire/xenstore.ts';
import type { Domain } from './domains.ts';
import { Output } from './output.ts';
import type { Transaction } from './transaction.ts';
import type { Turns } from './turns.ts';
import type { Watch } from './watches.ts';

/** How the store calls the transport that carries a connection. */
export interface Line {
  /** Output waits: send what there is room for. */
  flush(connection: Connection): void;
  /** Input is wanted again after `wantsInput` was false. */
  resume(connection: Connection): void;
  /** The peer broke the protocol, or read nothing for too long: a socket is closed, a ring is ignored and marked bad. */
  broken(why: 'protocol' | 'timeout' | 'memory'): void;
  /** The store is done with this connection: unmap, unbind, hang up. May be called again. */
  close(): void;
}

/** What serves a connection's requests. */
export interface Server {
  readonly turns: Turns;
  /** Answers one request into `connection.output`; its payload is `bytes` from `from` to `to`, valid during the call. */
  serve(
    connection: Connection,
    type: number,
    requestId: number,
    transactionId: number,
    bytes: Buffer,
    from: number,
    to: number,
  ): void;
  /** The connection forgot its watches and transactions, or is gone: drop them everywhere. */
  forget(connection: Connection): void;
}

/** Bytes of unsent output above which no more requests are answered, whoever asks. */
const outputMax = 1024 * 1024;
/** Bytes of unread events above which a privileged connection is given up. */
const unreadMax = 32 * 1024 * 1024;
const nothing = Buffer.alloc(0);

export class Connection {
  /** Unique in this daemon's life, above 0. */
  readonly id: number;
  readonly domain: Domain;
  readonly output = new Output();
  readonly line: Line;
  /** In the order in which they were made. */
  watches: Watch[] = [];
  readonly transactions = new Map<number, Transaction>();
  nextTransaction = 1;
  state: 'open' | 'ignored' | 'closed' = 'open';
  readonly #server: Server;
  /** Bytes that were received and not answered, of which `#from` is the first. */
  #input: Buffer = nothing;
  #from = 0;
  #heldBack = false;

  /** `line` is made after its connection in a ring's case, hence the function. */
  constructor(id: number, domain: Domain, server: Server, line: Line | ((connection: Connection) => Line)) {
    this.id = id;
    this.domain = domain;
    this.#server = server;
    this.line = typeof line === 'function' ? line(this) : line;
  }

  /** Bytes from the peer, in order. Answers what its turn allows; see the rules above. */
  receive(bytes: Buffer): void {
    if (this.state !== 'open') return;
    const waiting = this.#input.length - this.#from;
    // The usual case copies nothing: what is left of these bytes after the turn is kept by `settle`.
    if (waiting === 0) {
      this.#input = bytes;
      this.#from = 0;
    } else {
      this.#input = Buffer.concat([this.#input.subarray(this.#from), bytes]);
      this.#from = 0;
    }
    this.#server.turns.enter(this);
    this.#settle(bytes);
    // The transport stops reading now: whoever takes the last request tells it to go on.
    if (!this.wantsInput) this.#heldBack = true;
  }
  /** Whether more input should be read: no requests wait, and the peer reads its answers. */
  get wantsInput(): boolean {
    return this.state === 'open' && !this.#blocked && this.#input.length - this.#from < headerSize + payloadMax;
  }
  /** Bytes of requests that are not answered yet. */
  get pending(): Buffer {
    return this.#input.subarray(this.#from);
  }
  /** Output was consumed outside `line.flush`: go on with a peer that was held back. */
  drained(): void {
    if (this.#heldBack && !this.#blocked) this.#server.turns.enter(this);
  }

  /**
   * Answers up to `most` requests; true when a complete one is left that may be answered in a later turn. For `Turns`.
   */
  turn(most: number): boolean {
    const server = this.#server;
    for (let n = 0; ; n++) {
      const bytes = this.#input;
      const from = this.#from;
      if (bytes.length - from < headerSize || this.state !== 'open') return this.#idle();
      const length = u32(bytes, from + 12);
      if (length > payloadMax) {
        this.breakOff('protocol');
        return false;
      }
      const end = from + headerSize + length;
      if (end > bytes.length) return this.#idle();
      if (this.#blocked) {
        this.#heldBack = true;
        return false;
      }
      if (n >= most) return true;
      this.#from = end;
      server.serve(this, u32(bytes, from), u32(bytes, from + 4), u32(bytes, from + 8), bytes, from + headerSize, end);
    }
  }
  /** The peer is not served any more, but nobody is told that it is gone. */
  breakOff(why: 'protocol' | 'timeout' | 'memory'): void {
    if (this.state !== 'open') return;
    this.state = 'ignored';
    this.#drop();
    this.line.broken(why);
  }
  /** Queues a watch event. What a domain does not read is dropped once it is at its memory limit; a socket is closed then. */
  event(text: string, merge: boolean): void {
    if (this.state !== 'open') return;
    const domain = this.domain;
    const waiting = this.output.length;
    if (domain.privileged) {
      if (waiting > unreadMax) {
        this.breakOff('memory');
        return;
      }
    } else if (domain.exceeds('memory', domain.usage.memory + waiting + headerSize + text.length)) {
      return;
    }
    if (this.output.event(text, merge)) this.#server.turns.wrote(this);
  }
  /** Starts clean: no watches, no transactions, no partial input, no unsent output. */
  reset(): void {
    if (this.state === 'closed') return;
    this.#drop();
    this.state = 'open';
  }
  /** Ends the connection and its line. */
  close(): void {
    if (this.state === 'closed') return;
    this.#drop();
    this.state = 'closed';
    this.line.close();
  }
  /** Takes over what a predecessor had received and not answered. */
  restoreInput(bytes: Uint8Array): void {
    this.#input = Buffer.from(bytes);
    this.#from = 0;
  }

  get #blocked(): boolean {
    if (this.output.length > outputMax) return true;
    if (this.domain.privileged) return false;
    if (this.domain.credit < 0) return true;
    const outstanding = this.domain.limit('outstanding');
    return outstanding > 0 && this.output.frames >= outstanding;
  }
  #idle(): boolean {
    if (this.#blocked) this.#heldBack = true;
    else if (this.#heldBack) {
      this.#heldBack = false;
      if (this.state === 'open') this.line.resume(this);
    }
    return false;
  }
  #drop(): void {
    this.#server.forget(this);
    this.#input = nothing;
    this.#from = 0;
    this.output.reset();
  }
  /** Keeps a copy of what is left of the transport's bytes, which it may reuse. */
  #settle(bytes: Buffer): void {
    if (this.#input !== bytes) return;
    this.#input = this.#from >= bytes.length ? nothing : Buffer.from(bytes.subarray(this.#from));
    this.#from = 0;
  }
}
