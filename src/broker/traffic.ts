/**
 * What happens to each message between one guest and the bus: checked, judged, rewritten, passed on or refused. It knows no sockets:
 * bytes come in, and go out to `toBus` and `toGuest`.
 *
 *     unknown ──Hello──▶ greeted        (any other message of an `unknown` guest: FormatError, as the bus hangs up on it too)
 */

import { Cursor } from '../wire/dbus/body.ts';
import { type DbusMessage, firstString, flag, parseMessage } from '../wire/dbus/message.ts';
import { encodeMessage, errorReply, unansweredSerial } from '../wire/dbus/write.ts';
import { require } from '../wire/format-error.ts';
import type { Limits } from './limits.ts';
import { reserved } from './reserved.ts';
import type { Direction } from './rules.ts';
import { type Judged, judged, type Source, type Verdict } from './verdict.ts';

export interface TrafficParts {
  readonly source: Source;
  readonly judge: (direction: Direction, message: Judged) => Verdict;
  /** The well-known names of a connection on the bus. */
  readonly namesOf: (unique: string) => readonly string[];
  readonly limits: Pick<Limits, 'pendingReplies' | 'matchRules'>;
  /** The guest's unique name on the bus. */
  readonly name: string;
  readonly rewriting: Rewriting;
  readonly toBus: (bytes: Buffer) => void;
  readonly toGuest: (bytes: Buffer) => void;
  readonly told: (direction: Direction, message: DbusMessage, verdict: Verdict) => void;
}
export interface Rewriting {
  /** Whatever name the guest asks for, it gets this one; `$UUID` in it is the guest's uuid with `_` for `-`. */
  readonly requestName?: string | undefined;
  /** Who asks for a name's owner is told the name instead of the owner's unique name. */
  readonly ownerName?: boolean | undefined;
}
const bus = 'org.freedesktop.DBus';
const error = `${bus}.Error`;

export class Traffic {
  readonly #parts: TrafficParts;
  /** Calls of the guest that wait for their answer: what was asked of the bus about names, by serial. */
  readonly #pending = new Map<number, string | undefined>();
  #matchRules = 0;
  greeted = false;

  constructor(parts: TrafficParts) {
    this.#parts = parts;
  }
  /** One whole message of the guest. FormatError: it is none, or not one that a guest may send; hang up. */
  fromGuest(bytes: Buffer): void {
    const message = parseMessage(bytes);
    require(!message.unixFds, 'file descriptors cannot be passed on');
    const called = message.kind === 'method-call' && message.destination === bus ? message.member : undefined;
    if (called === 'Hello') this.#hello(message);
    else {
      require(this.greeted, 'a message before Hello');
      this.#judgeAndPass(message, called);
    }
  }
  /** One whole message of the bus. */
  fromBus(bytes: Buffer): void {
    const message = parseMessage(bytes, { body: false });
    const verdict = this.#parts.judge('outgoing', judged(message));
    this.#parts.told('outgoing', message, verdict);
    const asked = message.replySerial === undefined ? undefined : this.#answered(message.replySerial);
    if (!verdict.allow) {
      if (expectsReply(message))
        this.#parts.toBus(errorReply(message, `${error}.AccessDenied`, `the firewall denies it: ${verdict.why}`));
      return;
    }
    const owner = asked !== undefined && message.kind === 'method-return' && message.sender === bus;
    this.#parts.toGuest(owner ? answerWith(message, asked) : bytes);
  }
  #judgeAndPass(message: DbusMessage, called: string | undefined): void {
    const verdict = this.#judge(message);
    this.#parts.told('incoming', message, verdict);
    const over = this.#overLimit(message, called);
    // Which rule decided is the host's business.
    if (!verdict.allow) this.#refuse(message, 'AccessDenied', 'the rules of this host do not allow it');
    else if (over !== undefined) this.#refuse(message, 'LimitsExceeded', over);
    else if (called === 'RequestName' && this.#parts.rewriting.requestName !== undefined) this.#requestName(message);
    else this.#passOn(message, called, message.bytes);
  }
  #answered(serial: number): string | undefined {
    const asked = this.#pending.get(serial);
    this.#pending.delete(serial);
    return asked;
  }
  /** The broker said Hello to the bus itself; the guest is told the name that it has there. */
  #hello(message: DbusMessage): void {
    if (this.greeted) {
      this.#refuse(message, 'Failed', 'Hello was said already');
      return;
    }
    this.greeted = true;
    const { name: destination } = this.#parts;
    const body = [{ s: destination }];
    const reply = { kind: 'method-return', flags: flag.noReplyExpected, serial: unansweredSerial } as const;
    this.#parts.toGuest(encodeMessage({ ...reply, replySerial: message.serial, sender: bus, destination, body }));
  }
  /** A unique name stands for all names that its owner has: each must be allowed. */
  #judge(message: DbusMessage): Verdict {
    const why = this.#parts.source.domid === 0 ? undefined : reserved(message);
    if (why !== undefined) return { allow: false, why };
    const asked = judged(message);
    const { destination } = message;
    const isReply = message.kind === 'method-return' || message.kind === 'error';
    const names = destination?.startsWith(':') && !isReply ? this.#parts.namesOf(destination) : [];
    let verdict: Verdict | undefined;
    for (const name of names) {
      verdict = this.#parts.judge('incoming', { ...asked, destination: name });
      if (!verdict.allow) return verdict;
    }
    return verdict ?? this.#parts.judge('incoming', asked);
  }
  #overLimit(message: DbusMessage, called: string | undefined): string | undefined {
    const { pendingReplies, matchRules } = this.#parts.limits;
    if (expectsReply(message) && this.#pending.size >= pendingReplies)
      return `${pendingReplies} calls wait for their answer already`;
    if (called !== 'AddMatch') return undefined;
    return this.#matchRules >= matchRules ? `${matchRules} match rules are set already` : undefined;
  }
  #passOn(message: DbusMessage, called: string | undefined, bytes: Buffer): void {
    if (called === 'AddMatch') this.#matchRules++;
    if (called === 'RemoveMatch' && this.#matchRules > 0) this.#matchRules--;
    const asksOwner = called === 'GetNameOwner' && this.#parts.rewriting.ownerName;
    if (expectsReply(message)) this.#pending.set(message.serial, asksOwner ? firstString(message) : undefined);
    this.#parts.toBus(bytes);
  }
  #requestName(message: DbusMessage): void {
    const { rewriting, source } = this.#parts;
    const wanted = rewriting.requestName ?? '';
    require(message.signature === 'su', `RequestName with the arguments "${message.signature}"`);
    if (wanted.includes('$UUID') && source.uuid === null) {
      this.#refuse(message, 'AccessDenied', 'the uuid of this domain is not known, so it has no name of its own');
      return;
    }
    const cursor = new Cursor(message.bytes, message.little, message.bodyAt, message.bytes.length);
    cursor.string();
    const body = [{ s: wanted.replaceAll('$UUID', (source.uuid ?? '').replaceAll('-', '_')) }, { u: cursor.u32() }];
    this.#passOn(message, 'RequestName', encodeMessage({ ...headerOf(message), body }));
  }
  #refuse(message: DbusMessage, name: string, why: string): void {
    if (expectsReply(message)) this.#parts.toGuest(errorReply(message, `${error}.${name}`, why, this.#parts.name));
  }
}
const expectsReply = (message: DbusMessage): boolean =>
  message.kind === 'method-call' && (message.flags & flag.noReplyExpected) === 0;
function headerOf(message: DbusMessage): Omit<DbusMessage, 'bytes' | 'bodyAt' | 'little' | 'signature' | 'unixFds'> {
  const { bytes: _, bodyAt: __, little: ___, signature: ____, unixFds: _____, ...header } = message;
  return header;
}
const answerWith = (message: DbusMessage, text: string): Buffer =>
  encodeMessage({ ...headerOf(message), body: [{ s: text }] });
