/**
 * One guest's connection and its own connection to the bus.
 *
 *     authenticating ──BEGIN──▶ opening ──rules read, bus reached──▶ greeting ──Hello──▶ open
 *           │                     │                                   │                 │
 *           └─────────────────────┴── hostile bytes, time over, an end, no rules ───────┴──▶ closed (both sides)
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { BusAddress } from '../wire/dbus/address.ts';
import { AuthServer } from '../wire/dbus/auth.ts';
import { type DbusMessage, MessageReader } from '../wire/dbus/message.ts';
import { type BusLink, openBusLink } from './bus-link.ts';
import { Budget, type Limits } from './limits.ts';
import type { Policy, Ruling } from './policy.ts';
import type { Direction } from './rules.ts';
import { type Rewriting, Traffic } from './traffic.ts';
import type { Source, Verdict } from './verdict.ts';

export interface RelayParts {
  readonly policy: Policy;
  readonly bus: BusAddress;
  /** Tells the bus the guest's domid, which takes a bus that knows the mechanism. */
  readonly authDomid: boolean;
  /** Tells the guest its uuid while it authenticates. */
  readonly tellUuid: boolean;
  readonly namesOf: (unique: string) => readonly string[];
  readonly limits: Limits;
  readonly rewriting: Rewriting;
  /** Who is behind each connection, by its unique name on the bus. */
  readonly connections: Map<string, Source>;
  /** 32 hex digits. */
  readonly guid: string;
  /** Logs what is allowed too. */
  readonly verbose: boolean;
  readonly clock: Clock;
  readonly log: Log;
}
/** Denied messages a second that are logged one by one. */
const loggedPerSecond = 20;

/** How long what was written may take to be read after the end. */
const lingerMs = 2000;

export class Relay {
  state: 'authenticating' | 'opening' | 'greeting' | 'open' | 'closed' = 'authenticating';
  /** Resolves when both sides are closed. */
  readonly closed: Promise<void>;
  readonly #parts: RelayParts;
  readonly #guest: Duplex;
  readonly #source: Source;
  readonly #log: Log;
  readonly #auth: AuthServer;
  readonly #reader: MessageReader;
  readonly #rate: Budget;
  readonly #logged: Budget;
  #unlogged = 0;
  #stopGreeting: () => void;
  #stopWaiting: (() => void) | undefined;
  #link: BusLink | undefined;
  #ruling: Ruling | undefined;
  #traffic: Traffic | undefined;
  #resolveClosed: () => void = () => undefined;

  constructor(parts: RelayParts, guest: Duplex, source: Source) {
    const { limits, clock } = parts;
    this.#parts = parts;
    this.#guest = guest;
    this.#source = source;
    this.#log = parts.log.with({ domid: source.domid, ...(source.uuid === null ? {} : { uuid: source.uuid }) });
    this.#auth = new AuthServer(parts.guid, parts.tellUuid ? (source.uuid ?? undefined) : undefined);
    this.#reader = new MessageReader(limits.messageBytes);
    this.#rate = new Budget(clock, limits.messagesPerSecond);
    this.#logged = new Budget(clock, loggedPerSecond);
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    const late = () => this.close(`it did not authenticate and say Hello in ${limits.greetingS} s`);
    this.#stopGreeting = clock.after(limits.greetingS * 1000, late);
    guest.on('data', (chunk: Buffer) => this.#guarded(() => this.#received(chunk)));
    guest.on('drain', () => this.#link?.socket.resume());
    guest.once('error', (error) => this.close(`its connection failed: ${error.message}`));
    guest.once('close', () => this.close('it hung up'));
    guest.once('end', () => this.close('it hung up'));
  }
  /** Hangs up on both sides. */
  close(why: string): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.#log.info('connection closed', { why, name: this.#link?.name });
    this.#stopGreeting();
    this.#stopWaiting?.();
    this.#ruling?.end();
    if (this.#link) this.#parts.connections.delete(this.#link.name);
    // What was sent already still arrives, if somebody reads it.
    const both = [this.#guest, ...(this.#link ? [this.#link.socket] : [])];
    const stop = this.#parts.clock.after(lingerMs, () => {
      for (const side of both) side.destroy();
    });
    const closed = both.map(
      (side) => new Promise<void>((resolve) => (side.closed ? resolve() : side.once('close', resolve))),
    );
    for (const side of both) side.end(() => side.destroy());
    void Promise.all(closed).then(() => {
      stop();
      this.#resolveClosed();
    });
  }
  #guarded(f: () => void): void {
    if (this.state === 'closed') return;
    try {
      f();
    } catch (error) {
      const hostile = (error as Error).name === 'FormatError';
      if (!hostile) this.#log.error('a message failed', { error: String(error), stack: (error as Error).stack });
      this.close(hostile ? `it sent what D-Bus does not allow: ${(error as Error).message}` : 'a fault of the broker');
    }
  }
  #received(chunk: Buffer): void {
    if (this.state === 'authenticating') this.#authenticate(chunk);
    else this.#messages(chunk);
  }
  #authenticate(chunk: Buffer): void {
    const { answer, rest } = this.#auth.push(chunk);
    if (answer !== '') this.#guest.write(answer);
    if (this.#auth.state !== 'done') return;
    this.state = 'opening';
    this.#guest.pause();
    this.#open(rest).catch((error: Error) => this.close(`the bus cannot be reached: ${error.message}`));
  }
  async #open(rest: Buffer): Promise<void> {
    const { policy, bus, authDomid, connections } = this.#parts;
    const ruling = await policy.open(this.#source);
    this.#ruling = ruling;
    // It may be gone by now.
    if (this.#over()) return ruling.end();
    if (ruling.unreadable) return this.close(`its rules cannot be read: ${ruling.broken}`);
    const link = await openBusLink(bus, authDomid ? this.#source.domid : undefined);
    if (this.#over()) {
      link.socket.destroy();
      return;
    }
    this.#link = link;
    connections.set(link.name, this.#source);
    link.socket.once('error', (error) => this.close(`the bus failed: ${error.message}`));
    link.socket.once('close', () => this.close('the bus hung up'));
    link.socket.on('drain', () => this.#resumeGuest());
    this.#traffic = this.#trafficOver(link, ruling);
    this.state = 'greeting';
    this.#log.info('connection', { name: link.name });
    this.#guest.resume();
    this.#guarded(() => this.#messages(rest));
  }
  #over(): boolean {
    return this.state === 'closed';
  }
  #trafficOver(link: BusLink, ruling: Ruling): Traffic {
    const { namesOf, limits, rewriting } = this.#parts;
    return new Traffic({
      source: this.#source,
      judge: (direction, message) => ruling.judge(direction, message),
      namesOf,
      limits,
      name: link.name,
      rewriting,
      // Who reads slowly is waited for: the other side is not read meanwhile.
      toBus: (bytes) => {
        if (!link.socket.write(bytes)) this.#guest.pause();
      },
      toGuest: (bytes) => {
        if (!this.#guest.write(bytes)) link.socket.pause();
      },
      told: (direction, message, verdict) => this.#told(direction, message, verdict),
    });
  }
  #messages(chunk: Buffer): void {
    const traffic = this.#traffic as Traffic;
    let wait = 0;
    this.#link?.socket.cork();
    try {
      for (const bytes of this.#reader.push(chunk)) {
        traffic.fromGuest(bytes);
        wait = this.#rate.take();
        if (this.state === 'greeting' && traffic.greeted) this.#greeted();
      }
    } finally {
      this.#link?.socket.uncork();
    }
    if (wait > 0) this.#slowDown(wait);
  }
  #greeted(): void {
    this.state = 'open';
    this.#stopGreeting();
    const traffic = this.#traffic as Traffic;
    this.#link?.start(
      (bytes) => traffic.fromBus(bytes),
      (error) => this.close(`the bus sent what cannot be read: ${error.message}`),
    );
  }
  #slowDown(waitMs: number): void {
    this.#guest.pause();
    this.#stopWaiting?.();
    this.#stopWaiting = this.#parts.clock.after(waitMs, () => {
      this.#stopWaiting = undefined;
      this.#resumeGuest();
    });
  }
  #resumeGuest(): void {
    if (!this.#stopWaiting && !this.#link?.socket.writableNeedDrain) this.#guest.resume();
  }
  #told(direction: Direction, message: DbusMessage, verdict: Verdict): void {
    if (verdict.allow && !this.#parts.verbose) return;
    if (this.#logged.take() > 0) {
      this.#unlogged++;
      return;
    }
    const { kind, destination, path, interface: name, member, sender, serial } = message;
    const unlogged = this.#unlogged > 0 ? { unlogged: this.#unlogged } : {};
    this.#unlogged = 0;
    const said = { direction, kind, destination, path, interface: name, member, sender, serial, why: verdict.why };
    if (verdict.allow) this.#log.info('allowed', { ...said, ...unlogged });
    else this.#log.warn('denied', { ...said, ...unlogged });
  }
}
